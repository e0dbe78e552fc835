// Image builds `ecrkit local` for Linux on amd64 and arm64 and makes a multi-platform OCI image of it:
//
//	go run ./internal/tools/image -o DIR
//
// writes an OCI image layout to DIR, in the place of one that is there. Nothing but ecrkit itself is needed: no docker,
// and no base image. The same commit and the same Go release make the same bytes on any machine: every time is that of
// the commit (SOURCE_DATE_EPOCH overrides it; 1980-01-01 when the build does not know its commit).
package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/ecrkit/ecrkit/internal/tools/commit"
)

var architectures = []string{"amd64", "arm64"}

func main() {
	out := flag.String("o", "dist/image", "directory of the OCI image layout")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := image(ctx, *out); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func image(ctx context.Context, out string) error {
	work, err := os.MkdirTemp("", "ecrkit-image-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	var binaries []binary
	for _, architecture := range architectures {
		data, err := build(ctx, filepath.Join(work, architecture), architecture)
		if err != nil {
			return fmt.Errorf("linux/%s: %w", architecture, err)
		}
		binaries = append(binaries, binary{architecture, data})
	}
	from, err := sourceOf(binaries[0].data)
	if err != nil {
		return err
	}
	sizes, err := write(ctx, out, binaries, from)
	if err != nil {
		return err
	}
	for i, b := range binaries {
		fmt.Printf("linux/%s  %.1f MiB compressed\n", b.architecture, float64(sizes[i])/(1<<20))
	}
	fmt.Printf("oci:%s:%s\n", out, tag)
	return nil
}

// build returns ecrkit for an architecture of Linux, as a release has it.
func build(ctx context.Context, path, architecture string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w -buildid=", "-o", path, "./cmd/ecrkit")
	// What else the environment may hold about the target would change the bytes.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+architecture, "GOAMD64=v1", "GOARM64=v8.0", "GOEXPERIMENT=")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("go build: %w", err)
	}
	return os.ReadFile(path)
}

// sourceOf reads from a binary what it was built from.
func sourceOf(program []byte) (source, error) {
	info, err := buildinfo.Read(bytes.NewReader(program))
	if err != nil {
		return source{}, err
	}
	from := source{version: commit.Version(info)}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			from.revision = setting.Value
		}
	}
	from.time, err = commit.Time(info)
	return from, err
}
