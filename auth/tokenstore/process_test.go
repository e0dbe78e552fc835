//go:build unix

package tokenstore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test program be one of many processes: what it does then is
// its first argument.
func TestMain(m *testing.M) {
	if role := os.Getenv("TOKENSTORE_ROLE"); role != "" {
		if err := act(role, os.Getenv("TOKENSTORE_DIR")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func act(role, dir string) error {
	s := &Store{Dir: dir}
	now := time.Now()
	e := Entry{Secret: strings.Repeat("x", 3000), IssuedAt: now, ExpiresAt: now.Add(12 * time.Hour)}
	switch role {
	case "write": // for ever, telling of each
		for i := 0; ; i++ {
			lock, err := s.Lock(context.Background(), keyA)
			if err != nil {
				return err
			}
			e.Secret = strconv.Itoa(i) + strings.Repeat("x", 3000)
			err = s.Put(keyA, e)
			lock.Unlock()
			if err != nil {
				return err
			}
			fmt.Println(i)
		}
	case "hold":
		if _, err := s.TryLock(keyA); err != nil {
			return err
		}
		fmt.Println("held")
		_, err := io.Copy(io.Discard, os.Stdin) // until it is killed
		return err
	case "umask":
		syscall.Umask(0)
	}
	lock, err := s.TryLock(keyB)
	if err != nil {
		return err
	}
	defer lock.Unlock()
	return errors.Join(s.Put(keyB, e), s.MarkHost("h", e.ExpiresAt))
}

func child(t *testing.T, role, dir string) *exec.Cmd {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(program)
	command.Env = append(os.Environ(), "TOKENSTORE_ROLE="+role, "TOKENSTORE_DIR="+dir, "GORACE=atexit_sleep_ms=0")
	command.Stderr = os.Stderr
	return command
}

func TestKilledWriter(t *testing.T) { killWriters(t, 8) }

// killWriters kills a writer so many times, each after some of its writes.
func killWriters(t *testing.T, times int) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "cache")
	s := &Store{Dir: dir}
	for range times {
		command := child(t, "write", dir)
		out, err := command.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for range 1 + rand.IntN(5) {
			lines.Scan()
		}
		last, err := strconv.Atoi(lines.Text())
		if err != nil {
			t.Fatal(err)
		}
		if err := command.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() { // what it had told before it died
			last, _ = strconv.Atoi(lines.Text())
		}
		_ = command.Wait()
		e, err := s.Get(keyA)
		if err != nil {
			t.Fatalf("after %d: %v", last, err)
		}
		got, err := strconv.Atoi(strings.TrimRight(e.Secret, "x"))
		if err != nil || got != last && got != last+1 {
			t.Fatalf("%d was written and %d is there: %v", last, got, err)
		}
		temps, err := filepath.Glob(filepath.Join(dir, "v1", "*"+tempExt))
		if err != nil || len(temps) > 1 {
			t.Fatalf("left behind: %v, %v", temps, err)
		}
	}
}

func TestKilledHolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	command := child(t, "hold", dir)
	in, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	s := &Store{Dir: dir}
	if _, err := s.TryLock(keyA); !errors.Is(err, ErrLocked) {
		t.Fatalf("not locked: %v", err)
	}
	if err := command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = command.Wait()
	if _, err := s.Lock(t.Context(), keyA); err != nil {
		t.Errorf("the dead hold the lock: %v", err)
	}
}

func TestModes(t *testing.T) {
	for _, role := range []string{"plain", "umask"} {
		dir := filepath.Join(t.TempDir(), "cache")
		if err := child(t, role, dir).Run(); err != nil {
			t.Fatal(err)
		}
		err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			if err == nil && info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s: %s has mode %v", role, path, info.Mode())
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func TestUnsafe(t *testing.T) {
	unsafe := func(name string, spoil func(s *Store) error) {
		t.Run(name, func(t *testing.T) {
			s, _ := open(t)
			put(t, s, keyA, entry("one"))
			if err := spoil(s); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Get(keyA); !errors.Is(err, ErrUnsafe) {
				t.Errorf("get: %v", err)
			}
		})
	}
	unsafe("directory for all to write", func(s *Store) error { return os.Chmod(s.Dir, 0o777) })
	unsafe("inner directory for the group to write", func(s *Store) error { return os.Chmod(s.directory(), 0o770) })
	unsafe("inner directory is a link", func(s *Store) error {
		return errors.Join(os.Rename(s.directory(), s.Dir+".moved"), os.Symlink(s.Dir+".moved", s.directory()))
	})
	unsafe("file is a link", func(s *Store) error {
		path := s.path(keyA, entryExt)
		return errors.Join(os.Rename(path, path+".moved"), os.Symlink(path+".moved", path))
	})
	if os.Geteuid() == 0 {
		unsafe("another user's directory", func(s *Store) error { return os.Chown(s.Dir, 12345, 12345) })
		unsafe("another user's file", func(s *Store) error { return os.Chown(s.path(keyA, entryExt), 12345, 12345) })
	}
	// A token that others could change or read is not used: the next one replaces it.
	s, _ := open(t)
	for _, mode := range []os.FileMode{0o666, 0o640, 0o604, 0o610} {
		put(t, s, keyA, entry("one"))
		if err := os.Chmod(s.path(keyA, entryExt), mode); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Get(keyA); !errors.Is(err, ErrNotFound) {
			t.Errorf("a file of mode %v: %v", mode, err)
		}
		put(t, s, keyA, entry("two"))
		if e, err := s.Get(keyA); err != nil || e.Secret != "two" {
			t.Error(err)
		}
	}
	// A directory that others can list is closed to them again.
	if err := os.Chmod(s.directory(), 0o755); err != nil {
		t.Fatal(err)
	}
	put(t, s, keyA, entry("three"))
	if info, err := os.Stat(s.directory()); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory: %v, %v", info.Mode(), err)
	}
}
