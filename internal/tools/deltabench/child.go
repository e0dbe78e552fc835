//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/delta"
)

// made is what a child reports about a delta.
type made struct {
	Encoder        string `json:"encoder"`
	Segment        int64  `json:"segment"`
	Layer          int64  `json:"layer"` // bytes, as all sizes here
	Plain          int64  `json:"plain"`
	Delta          int64  `json:"delta"` // 0 if the layer is carried whole
	Description    int64  `json:"description"`
	Tokens, Misses int64
	Whole          string `json:"whole,omitempty"` // why
}

// cost is what a process has needed.
type cost struct {
	elapsed time.Duration
	cpu     time.Duration // of the user and the system
	memory  int64         // at most, in bytes
}

// run runs a command and returns its cost.
func run(cmd *exec.Cmd) (cost, error) {
	began := time.Now()
	if err := cmd.Run(); err != nil {
		return cost{}, err
	}
	p := cmd.ProcessState
	return cost{time.Since(began), p.UserTime() + p.SystemTime(), p.SysUsage().(*syscall.Rusage).Maxrss << 10}, nil
}

// child makes a delta, or applies one:
//
//	make TEMP OLD NEW DELTA
//	apply TEMP OLD DELTA SIZE DIGEST
func child(ctx context.Context, args []string) error {
	w := delta.NewWorkspace(args[1])
	base, _, err := layerOf(args[2])
	if err != nil {
		return err
	}
	old, err := w.Plaintext(ctx, base)
	if err != nil {
		return err
	}
	defer old.Close() // it is removed
	if args[0] == "make" {
		return makeDelta(ctx, w, old, args[3], args[4])
	}
	f, err := os.Open(args[3])
	if err != nil {
		return err
	}
	defer f.Close() // opened for reading
	size, err := strconv.ParseInt(args[4], 10, 64)
	if err != nil {
		return err
	}
	want, err := digest.Parse(args[5])
	if err != nil {
		return err
	}
	verifier := want.Verifier()
	if err := w.Apply(ctx, f, size, []*delta.Plaintext{old}, verifier); err != nil {
		return err
	}
	if !verifier.Verified() {
		return fmt.Errorf("the rebuilt layer is not %s", want)
	}
	return nil
}

func makeDelta(ctx context.Context, w *delta.Workspace, old *delta.Plaintext, path, to string) error {
	l, _, err := layerOf(path)
	if err != nil {
		return err
	}
	result := made{Layer: l.Size}
	d, err := w.Make(ctx, l, []*delta.Plaintext{old})
	switch {
	case errors.Is(err, delta.ErrWhole):
		result.Whole = err.Error()
	case err != nil:
		return err
	default:
		defer d.Close() // it is removed
		result.Encoder, result.Plain, result.Delta, result.Description, result.Tokens, result.Misses = d.EncoderName(), d.Plain, d.Size, d.Description, d.Tokens, d.Misses
		if d.Encoder != nil {
			result.Segment = d.Encoder.Segment
		}
		f, err := os.Create(to)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, io.NewSectionReader(d.File, 0, d.Size))
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return json.NewEncoder(os.Stdout).Encode(result)
}

// layerOf is a file as a layer.
func layerOf(path string) (delta.Layer, digest.Digest, error) {
	f, err := os.Open(path)
	if err != nil {
		return delta.Layer{}, "", err
	}
	defer f.Close() // opened for reading
	info, err := f.Stat()
	if err != nil {
		return delta.Layer{}, "", err
	}
	sum, err := digest.SHA256.FromReader(f)
	return delta.Layer{Digest: sum, Size: info.Size(), Open: func(context.Context) (io.ReadCloser, error) { return os.Open(path) }}, sum, err
}
