// Command ecrkit pushes images to Amazon ECR and pulls them back; see ecrkit --help.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/ecrkit/ecrkit/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	os.Exit(cli.Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.LookupEnv))
}
