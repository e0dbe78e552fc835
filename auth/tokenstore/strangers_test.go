package tokenstore

import (
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// Whatever else lies in the directory, such as one that is shared with another
// program, is not removed, however old it is.
func TestStrangersFilesStay(t *testing.T) {
	old := noon.Add(-1000 * time.Hour)
	hex := keyA.Source
	strangers := []string{
		"notes.txt", "README", ".tmp", ".bad", "x.tmp", "x.bad", "x.token", "x.lock", "hosts.txt", "keychain.lock",
		hex, hex + ".txt", hex + ".token.old", hex + ".token.tmp.tmp", hex + "0.token", hex + ".x.token", hex + ".tmp", hex[1:] + ".token",
		"UPPER" + hex[5:] + ".token", "hosts/notes.txt", "hosts/a%zz", "hosts/a:1", "hosts/directory/file", "directory/file",
	}
	ours := []string{hex + ".token", hex + ".failure", hex + ".shortcut", hex + ".token.tmp", hex + ".failure.tmp", hex + ".shortcut.tmp",
		keyB.String() + ".token", "hosts/registry.example.com", "hosts/127.0.0.1%3A4510"}
	for name, remove := range map[string]func(*Store) (int, error){
		"prune":         (*Store).Prune,
		"clear":         (*Store).Clear,
		"remove source": func(s *Store) (int, error) { return s.RemoveSource(keyA.Source) },
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := open(t)
			put(t, s, Key{Source: keyB.Session}, entry("one"))
			for _, file := range slices.Concat(strangers, ours) {
				path := filepath.Join(s.directory(), file)
				text := "a stranger's"
				if slices.Contains(ours, file) && filepath.Dir(file) == "hosts" {
					text = ""
				}
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				if err := os.Chtimes(path, old, old); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := remove(s); err != nil {
				t.Error(err)
			}
			for _, file := range strangers {
				if _, err := os.Lstat(filepath.Join(s.directory(), file)); err != nil {
					t.Errorf("%s is gone: %v", file, err)
				}
			}
			for _, file := range ours {
				_, err := os.Lstat(filepath.Join(s.directory(), file))
				if (err == nil) != (name == "remove source" && file[:6] != hex[:6]) {
					t.Errorf("%s: %v", file, err)
				}
			}
		})
	}
}

// Names of hosts that are those of devices on Windows, or of streams, become others.
func TestFileOfHost(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{
		"123456789012.dkr.ecr.us-east-1.amazonaws.com": "123456789012.dkr.ecr.us-east-1.amazonaws.com",
		"127.0.0.1:4510":  "127.0.0.1%3A4510",
		"nul.example.com": "%6Eul.example.com",
		"com1":            "%63om1",
		"[::1]:80":        "%5B%3A%3A1%5D%3A80",
	} {
		got := fileOfHost(host)
		if back, err := url.QueryUnescape(got); got != want || err != nil || back != host {
			t.Errorf("%s: %s, back %s, %v", host, got, back, err)
		}
	}
}
