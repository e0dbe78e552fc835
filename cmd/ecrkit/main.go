// Command ecrkit pushes images to Amazon ECR and pulls them back; see ecrkit --help.
package main

import (
	"bytes"
	"context"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/ecrkit/ecrkit/internal/cli"
)

func main() {
	log.SetOutput(withoutAnswers{os.Stderr})
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	os.Exit(cli.Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.LookupEnv))
}

// withoutAnswers is where the standard logger writes. net/http writes the bytes there that a server sends unasked
// for: they may be anything, and are nobody's message.
type withoutAnswers struct{ w io.Writer }

func (w withoutAnswers) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("Unsolicited response received on idle HTTP channel")) {
		return len(p), nil
	}
	return w.w.Write(p)
}
