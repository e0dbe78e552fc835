// Docker-credential-ecrkit provides docker, podman, skopeo, crane and others with
// the authorization token of Amazon ECR by the credential helper protocol.
package main

import (
	"bytes"
	"context"
	"io"
	"os"

	"github.com/ecrkit/ecrkit/internal/credhelper"
	"github.com/ecrkit/ecrkit/internal/startup"
)

func main() {
	stdin := io.MultiReader(bytes.NewReader(startup.Input()), os.Stdin)
	os.Exit(credhelper.Main(context.Background(), os.Args[1:], stdin, os.Stdout, os.Stderr, os.Environ()))
}
