// Command ecrkit pushes images to Amazon ECR and pulls them back; see ecrkit --help.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/ecrkit/ecrkit/internal/cli"
)

// memoryLimit is from how many bytes on the garbage collector works harder: a copy
// between registries holds 80 MiB of parts, which would let the heap grow to twice
// that. More is taken if it is needed.
const memoryLimit = 112 << 20

func main() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	os.Exit(cli.Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.LookupEnv))
}
