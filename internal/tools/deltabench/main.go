//go:build linux

// Deltabench measures deltas inside of layers: which encoder the layers of each tool have, how much of a layer its
// description takes, what a delta takes between two versions of real software, and how much processor time and memory
// making and applying it needs. It prints a section of docs/benchmarks.md.
//
//	go run ./internal/tools/deltabench                 # all, about 3 minutes
//	go run ./internal/tools/deltabench -tool skopeo    # only the table by tool, with these
//	go run ./internal/tools/deltabench -big 2048       # and a layer of 2,048 MiB of plaintext
//
// It downloads Debian packages by apt-get and npm packages by npm. Tools take part when they are installed; docker, podman
// and buildah need root.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
)

// bench is one run of the whole.
type bench struct {
	tools, dir string
	only       []string
	big        int64
	progress   io.Writer
}

func main() {
	if len(os.Args) > 1 && (os.Args[1] == "make" || os.Args[1] == "apply") { // a process of its own, which is measured
		if err := child(context.Background(), os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, "deltabench:", err)
			os.Exit(1)
		}
		return
	}
	b := &bench{progress: os.Stderr}
	only := flag.String("tool", "", "only the table by tool, with those whose names begin with one of these `words`, separated by commas")
	dir := flag.String("dir", "", "`directory` for what is downloaded, kept; the default is a temporary one")
	flag.StringVar(&b.tools, "tools", "bin/tools", "`directory` of crane, ko, buildkitd and buildctl")
	flag.Int64Var(&b.big, "big", 0, "measure a layer of so many `MiB` of plaintext, too")
	flag.Parse()
	if *only != "" {
		b.only = strings.Split(*only, ",")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := b.run(ctx, *dir, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "deltabench:", err)
		os.Exit(1)
	}
}

func (b *bench) run(ctx context.Context, dir string, out io.Writer) (err error) {
	if b.dir, err = os.MkdirTemp("", "deltabench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir) // what is left is in the temporary directory
	if b.tools, err = filepath.Abs(b.tools); err != nil {
		return err
	}
	if dir == "" {
		dir = filepath.Join(b.dir, "data")
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	fmt.Fprintf(out, "## Deltas inside of layers\n\nTwo versions of the same software, as two layers: what [`mirror export --delta`](mirror.md#only-what-has-changed-inside-of-layers)\ncarries of the second one to a destination that has the first. [delta-format.md](delta-format.md) explains encoders and\ndescriptions. Every delta was applied in a process of its own, and the layer had the digest of the original.\n")
	data, err := b.download(ctx, dir)
	if err != nil {
		if ctx.Err() == nil { // the rest of docs/benchmarks.md is worth having
			fmt.Fprintf(b.progress, "deltabench: %v\n", err)
			fmt.Fprintf(out, "\nNot measured: the packages could not be downloaded.\n")
		}
		return ctx.Err()
	}
	if err := b.toolTable(ctx, out, data[allUpdated]); err != nil {
		return err
	}
	if len(b.only) > 0 {
		return nil
	}
	if err := b.contentTable(ctx, out, data); err != nil {
		return err
	}
	return b.costTable(ctx, out, data[opensslOnly])
}

// wanted reports whether a tool takes part.
func (b *bench) wanted(name string) bool {
	return len(b.only) == 0 || slices.ContainsFunc(b.only, func(word string) bool { return strings.HasPrefix(name, word) })
}
