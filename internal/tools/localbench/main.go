//go:build linux

// Localbench measures how the local ECR grows: pushes, lists and lifecycle previews with many images and repositories, its
// memory, and how long it takes to start. It runs the program as a process, calls it as AWS clients do, and prints tables in
// Markdown.
//
//	go run ./internal/tools/localbench -ecrkit bin/ecrkit
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
)

// options are the sizes of what is measured.
type options struct {
	ecrkit       string   // program
	serverFlags  []string // of ecrkit local
	dir          string   // of the stores
	clients      int
	images       int // of the large repository
	repositories int // of the registry with many
}

// small is the number of images of the small repository.
const small = 100

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "localbench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	var o options
	flags := flag.NewFlagSet("localbench", flag.ContinueOnError)
	flags.StringVar(&o.ecrkit, "ecrkit", "bin/ecrkit", "`program` to measure")
	flags.IntVar(&o.clients, "clients", 8, "`number` of clients that push at the same time")
	flags.IntVar(&o.images, "images", 100_000, "`number` of images of the large repository, at least 10 times 100")
	flags.IntVar(&o.repositories, "repositories", 10_000, "`number` of repositories")
	flags.StringVar(&o.dir, "dir", "", "`directory` for the stores (default: a temporary one)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	o.serverFlags = flags.Args()
	if o.images < 10*small || o.repositories < 10*small || o.clients < 1 {
		return errors.New("the numbers are too small to compare anything")
	}
	dir, err := os.MkdirTemp(o.dir, "localbench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	o.dir = dir
	b := &bench{options: o, out: out}
	for _, step := range []func(context.Context) error{b.describeMachine, b.pushes, b.lists, b.previews, b.repositoryLists, b.starts} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// bench has the stores: one with the large and the small repository, one with many repositories.
type bench struct {
	options
	out io.Writer
}

func (b *bench) imagesDir() string       { return filepath.Join(b.dir, "images") }
func (b *bench) repositoriesDir() string { return filepath.Join(b.dir, "repositories") }

func (b *bench) printf(format string, args ...any) { fmt.Fprintf(b.out, format, args...) }
