package eventlog

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSilentUnlessAsked(t *testing.T) {
	var stderr bytes.Buffer
	log, _, err := Open("helper", "", &stderr)
	if err != nil {
		t.Fatal(err)
	}
	log.Debug("debug")
	log.Info("info")
	log.Warn("two\nlines", "key", "value")
	if got := stderr.String(); got != "helper: two lines\n" {
		t.Errorf("got %q", got)
	}
}

func TestDebugFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "debug.log")
	if err := os.WriteFile(path, bytes.Repeat([]byte("x"), maxSize), 0o644); err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	log, closeLog, err := Open("helper", "debug:"+path, &stderr)
	if err != nil {
		t.Fatal(err)
	}
	log.Debug("seen")
	log.Warn("both")
	if err := closeLog(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(data), "seen") || !strings.Contains(string(data), "both") || stderr.String() != "helper: both\n" {
		t.Errorf("file %q, stderr %q, %v", data, &stderr, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if info, err := os.Stat(path + ".1"); err != nil || info.Size() != maxSize {
		t.Errorf("not rotated: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, setting := range []string{"trace", "debug:" + t.TempDir(), "debug:" + filepath.Join(t.TempDir(), "absent", "file")} {
		var stderr bytes.Buffer
		log, _, err := Open("helper", setting, &stderr)
		if err == nil || !strings.Contains(err.Error(), Variable) {
			t.Errorf("%s: %v", setting, err)
		}
		log.Warn("still")
		if stderr.String() != "helper: still\n" {
			t.Errorf("%s: %q", setting, &stderr)
		}
	}
}

// A link under the name of the log is not followed.
func TestLinkedFile(t *testing.T) {
	dir := t.TempDir()
	secret, path := filepath.Join(dir, "secret"), filepath.Join(dir, "debug.log")
	for name, link := range map[string]func(from, to string) error{"symbolic": os.Symlink, "hard": os.Link} {
		if err := os.WriteFile(secret, []byte("secret"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := link(secret, path); err != nil {
			t.Fatal(err)
		}
		if _, _, err := Open("helper", "debug:"+path, io.Discard); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s link: %v", name, err)
		}
		info, err := os.Stat(secret)
		if data, readErr := os.ReadFile(secret); err != nil || readErr != nil || string(data) != "secret" || info.Mode().Perm() != 0o644 {
			t.Errorf("%s link: %q, %v", name, data, info.Mode())
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}
