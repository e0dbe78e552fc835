// Command docker-credential-ecrkit gives docker, podman, skopeo, crane and
// others the authorization token of Amazon ECR by the credential helper protocol.
package main

import (
	"context"
	"os"

	"github.com/ecrkit/ecrkit/internal/credhelper"
	"github.com/ecrkit/ecrkit/internal/warmstart"
)

func main() {
	os.Exit(credhelper.Main(context.Background(), os.Args[1:], warmstart.Stdin(), os.Stdout, os.Stderr, os.Environ()))
}
