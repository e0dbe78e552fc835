//go:build unix

package files

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A program that has a pipe open and writes nothing, or does not read, is waited for until the context ends.
func TestPipeEndsWithContext(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	held, unread := filepath.Join(dir, "held"), filepath.Join(dir, "unread")
	for _, path := range []string{held, unread} {
		must(t, syscall.Mkfifo(path, 0o600))
	}
	other, err := os.OpenFile(held, os.O_RDWR, 0)
	must(t, err)
	defer other.Close()
	for name, wait := range map[string]func(context.Context) error{
		"Read": func(ctx context.Context) error {
			file, err := Open(ctx, held)
			if err != nil {
				return err
			}
			defer file.Close()
			_, err = io.ReadAll(file)
			return err
		},
		"OpenPipe": func(ctx context.Context) error {
			_, err := OpenPipe(ctx, unread)
			return err
		},
		"OpenAppend": func(ctx context.Context) error {
			_, err := OpenAppend(ctx, unread, 0o600)
			return err
		},
		"Write": func(ctx context.Context) error {
			file, err := OpenPipe(ctx, held)
			if err != nil {
				return err
			}
			defer file.Close()
			_, err = file.Write(make([]byte, 1<<20)) // more than a pipe holds
			return err
		},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- wait(ctx) }()
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The opens that nobody waits for any more end with a reader, so that no goroutine stays.
	reader, err := os.OpenFile(unread, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	must(t, err)
	must(t, reader.Close())
}

func TestOpenAppend(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	for _, text := range []string{"a\n", "b\n"} {
		f, err := OpenAppend(t.Context(), path, 0o600)
		must(t, err)
		_, err = io.WriteString(f, text)
		must(t, errors.Join(err, f.Close()))
	}
	info, err := os.Stat(path)
	must(t, err)
	if data, err := os.ReadFile(path); err != nil || string(data) != "a\nb\n" || info.Mode().Perm() != fs.FileMode(0o600) {
		t.Errorf("%q, %v, %v", data, info.Mode(), err)
	}
	f, err := OpenAppend(t.Context(), os.DevNull, 0o600)
	must(t, err)
	must(t, f.Close())
}
