//go:build unix

package files

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	must(t, os.WriteFile(path, []byte("text"), 0o600))
	link := filepath.Join(dir, "link")
	must(t, os.Symlink(path, link))
	for _, path := range []string{path, link} {
		if data, err := Read(path, 4); err != nil || string(data) != "text" {
			t.Errorf("%q, %v", data, err)
		}
		must(t, CheckRegular(path))
	}
	if _, err := Read(path, 3); err == nil || !strings.Contains(err.Error(), path+" is larger than 3 bytes") {
		t.Errorf("a large file: %v", err)
	}
	if data, err := Read(os.DevNull, 4); err != nil || len(data) != 0 {
		t.Errorf("%s: %q, %v", os.DevNull, data, err)
	}
	must(t, CheckRegular(os.DevNull))
	absent := filepath.Join(dir, "absent")
	if _, err := Read(absent, 4); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an absent file: %v", err)
	}
	must(t, CheckRegular(absent))
	if _, err := Read(dir, 4); err == nil {
		t.Error("a directory: no error")
	}
}

func TestReadDoesNotWait(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "r") // short: it is part of a socket's address
	must(t, err)
	defer os.RemoveAll(dir)
	pipe, socket := filepath.Join(dir, "pipe"), filepath.Join(dir, "s")
	must(t, syscall.Mkfifo(pipe, 0o600))
	listener, err := net.Listen("unix", socket)
	must(t, err)
	defer listener.Close()
	for _, path := range []string{pipe, socket} {
		if _, err := Read(path, 4); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s was read: %v", path, err)
		}
		if err := CheckRegular(path); !errors.Is(err, ErrNotRegular) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := Read(pipe, 4); !errors.Is(err, ErrNotRegular) {
		t.Errorf("a pipe: %v", err)
	}
}

// A file that a user names can be a pipe with a writer; one without is not waited for.
func TestOpen(t *testing.T) {
	t.Parallel()
	fifo := filepath.Join(t.TempDir(), "fifo")
	must(t, syscall.Mkfifo(fifo, 0o600))
	file, err := Open(t.Context(), fifo)
	must(t, err)
	_, err = io.ReadAll(file)
	if !errors.Is(err, ErrNotRegular) || !strings.Contains(err.Error(), fifo) {
		t.Errorf("a pipe without a writer: %v", err)
	}
	must(t, file.Close())

	r, w, err := os.Pipe()
	must(t, err)
	defer r.Close()
	go func() {
		_, _ = w.WriteString("text")
		_ = w.Close()
	}()
	file, err = Open(t.Context(), fmt.Sprintf("/dev/fd/%d", r.Fd()))
	must(t, err)
	defer file.Close()
	if data, err := io.ReadAll(file); err != nil || string(data) != "text" {
		t.Errorf("a pipe with a writer: %q, %v", data, err)
	}
}
