//go:build linux

// Mirrorbench measures how ecrkit, regsync, skopeo and crane mirror many images: 10 repositories with 10 tags each, an
// index of two platforms behind each tag, from a local ECR that answers 5 ms later. It prints a section of
// docs/benchmarks.md.
//
//	go run ./internal/tools/mirrorbench                # all, about 4 minutes
//	go run ./internal/tools/mirrorbench -case again    # only rows whose names begin so
//	go run ./internal/tools/mirrorbench -programs ecrkit,regsync
//
// It needs ecrkit built into bin, and regsync and crane at the versions that bench/go.mod pins in -tools. skopeo takes
// part when it is installed. Each command is a process of its own. The requests are those of the server's audit log.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
)

const mib = 1 << 20

// bench is one run of the whole.
type bench struct {
	bin, tools, dir string
	latency         time.Duration
	progress        io.Writer
	cases, programs []string

	near    *registry // where the images are
	environ []string
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == "put" { // a process of its own: its memory would count as that of the commands
		if err := put(context.Background(), os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, "mirrorbench: data set:", err)
			os.Exit(1)
		}
		return
	}
	b := &bench{progress: os.Stderr}
	cases := flag.String("case", "", "only rows whose names begin with one of these `words`, separated by commas")
	programs := flag.String("programs", "", "only these `names`, separated by commas")
	flag.StringVar(&b.bin, "bin", "bin", "`directory` of ecrkit and docker-credential-ecrkit")
	flag.StringVar(&b.tools, "tools", "bin/tools", "`directory` of regsync and crane")
	flag.DurationVar(&b.latency, "latency", 5*time.Millisecond, "time before each answer")
	flag.Parse()
	b.cases, b.programs = words(*cases), words(*programs)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := b.run(ctx, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mirrorbench:", err)
		os.Exit(1)
	}
}

func words(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}

func (b *bench) run(ctx context.Context, out io.Writer) (err error) {
	for _, path := range []*string{&b.bin, &b.tools} {
		if *path, err = filepath.Abs(*path); err != nil {
			return err
		}
	}
	if b.dir, err = os.MkdirTemp("", "ecrkit-mirrorbench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	self, err := os.Executable()
	if err != nil {
		return err
	}
	store := filepath.Join(b.dir, "store")
	if text, err := exec.CommandContext(ctx, self, "put", store).CombinedOutput(); err != nil {
		return fmt.Errorf("data set: %w: %s", err, text)
	}
	if b.near, err = b.start(ctx, "near", store, "--latency", b.latency.String()); err != nil {
		return err
	}
	defer b.near.Stop()
	fmt.Fprintf(out, "## Mirrors of many images\n\n%d repositories with %d tags each: an index of two platforms behind each tag, %d manifests, "+
		"and 205 MB of blobs of which a layer of each platform is in all images. The registry answers %s later.\n"+
		"`mirror apply` keeps to the default quota of PutImage, 10 a second, for three seconds before it tries more; the other programs do not.\n", repositories, tags, repositories*tags*3, b.latency)
	for _, table := range []func(context.Context, io.Writer) error{b.export, b.copies, b.delta, b.quotas} {
		if err := table(ctx, out); err != nil {
			return err
		}
	}
	return nil
}
