package tokenstore

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ecrkit/ecrkit/internal/tokenfile"
)

var (
	noon = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	keyA = Key{Source: strings.Repeat("a", 64)}
	keyB = Key{Source: strings.Repeat("b", 64), Session: strings.Repeat("c", 64)}
)

func entry(secret string) Entry {
	return Entry{Secret: secret, IssuedAt: noon, RenewAt: noon.Add(6 * time.Hour), ExpiresAt: noon.Add(12 * time.Hour), Service: "ecr", Region: "us-east-1", Endpoint: "https://x", Kind: "static"}
}

// open makes a store whose clock is the returned one.
func open(t *testing.T) (*Store, *time.Time) {
	now := noon
	return &Store{Dir: filepath.Join(t.TempDir(), "cache"), Now: func() time.Time { return now }, Boot: func() string { return "boot" }}, &now
}

func put(t *testing.T, s *Store, key Key, e Entry) {
	t.Helper()
	lock, err := s.TryLock(key)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Unlock()
	if err := s.Put(key, e); err != nil {
		t.Fatal(err)
	}
}

func TestState(t *testing.T) {
	tests := []struct {
		name     string
		after    time.Duration // since it was issued
		lifetime time.Duration
		want     State
	}{
		{"new", 0, 12 * time.Hour, Fresh},
		{"before it is to be renewed", 6*time.Hour - 1, 12 * time.Hour, Fresh},
		{"to be renewed", 6 * time.Hour, 12 * time.Hour, Renew},
		{"a minute left", 12*time.Hour - time.Minute, 12 * time.Hour, Renew},
		{"less than a minute left", 12*time.Hour - 59*time.Second, 12 * time.Hour, Stale},
		{"ended", 13 * time.Hour, 12 * time.Hour, Stale},
		{"the clock went back a little", -4 * time.Minute, 12 * time.Hour, Fresh},
		{"the clock went back", -6 * time.Minute, 12 * time.Hour, Stale},
		{"no life", 0, 0, Stale},
		{"negative life", 0, -time.Hour, Stale},
		{"too long a life", 0, 14 * time.Hour, Stale},
	}
	for _, tt := range tests {
		e := entry("s")
		e.ExpiresAt = e.IssuedAt.Add(tt.lifetime)
		if got := e.State(noon.Add(tt.after)); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
	if got := entry("").State(noon); got != Stale {
		t.Errorf("no secret: %d", got)
	}
}

func TestSecretIsHidden(t *testing.T) {
	e := entry("canary")
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("json", "entry", e, "pointer", &e)
	slog.New(slog.NewTextHandler(&log, nil)).Info("text", "entry", e, "list", []Entry{e})
	for _, text := range []string{fmt.Sprint(e), fmt.Sprintf("%+v %#v %s %q", e, e, e, &e), log.String(), fmt.Sprintf("%+v", []Entry{e})} {
		if strings.Contains(text, "canary") {
			t.Error(text)
		}
	}
}

func TestStore(t *testing.T) {
	s, now := open(t)
	if _, err := s.Get(keyA); !errors.Is(err, ErrNotFound) {
		t.Errorf("empty: %v", err)
	}
	put(t, s, keyA, entry("one"))
	put(t, s, keyB, entry("two"))
	for key, want := range map[Key]string{keyA: "one", keyB: "two"} {
		got, err := s.Get(key)
		if err != nil || got != entry(want) {
			t.Errorf("%v, %v", got.Secret, err)
		}
	}
	items, err := s.List()
	if err != nil || len(items) != 2 || items[0].Key != keyA || items[1].Key != keyB || items[0].Entry.Secret != "" || items[0].State != Fresh {
		t.Errorf("%+v, %v", items, err)
	}
	if items, err := s.Sessions(keyB.Source); err != nil || len(items) != 1 || items[0].Key != keyB {
		t.Errorf("%+v, %v", items, err)
	}
	if ok, err := s.RemoveIf(keyA, "another"); ok || err != nil {
		t.Errorf("another's: %v, %v", ok, err)
	}
	if ok, err := s.RemoveIf(keyA, "one"); !ok || err != nil {
		t.Errorf("its own: %v, %v", ok, err)
	}
	if n, err := s.RemoveSource(keyB.Source); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if err := errors.Join(s.Remove(keyA), s.Remove(keyA)); err != nil {
		t.Error(err)
	}
	put(t, s, keyA, entry("three"))
	if n, err := s.Clear(); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	_ = now
}

func TestPrune(t *testing.T) {
	s, now := open(t)
	put(t, s, keyA, entry("one"))
	later := entry("two")
	later.ExpiresAt = noon.Add(13 * time.Hour)
	put(t, s, keyB, later)
	for host, e := range map[string]Entry{"a.example.com": entry(""), "127.0.0.1:4510": later} {
		if err := s.MarkHost(host, e.ExpiresAt); err != nil {
			t.Fatal(err)
		}
	}
	*now = noon.Add(12*time.Hour + time.Second)
	if hosts, err := s.Hosts(); err != nil || len(hosts) != 1 || hosts[0] != "127.0.0.1:4510" {
		t.Errorf("%v, %v", hosts, err)
	}
	if n, err := s.Prune(); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	left, err := filepath.Glob(filepath.Join(s.directory(), "*"))
	if err != nil || len(left) != 3 { // the token, its lock and hosts
		t.Errorf("%v, %v", left, err)
	}
	if _, err := s.Get(keyB); err != nil {
		t.Error(err)
	}
	// What a killed writer has left goes; what one that is alive is writing stays,
	// whatever its time.
	temp := s.path(keyA, entryExt+tempExt)
	for _, at := range []time.Time{*now, now.Add(-2 * time.Hour), now.Add(12 * time.Hour)} {
		if err := os.WriteFile(temp, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(temp, at, at); err != nil {
			t.Fatal(err)
		}
		lock, err := s.TryLock(keyA)
		if err != nil {
			t.Fatal(err)
		}
		for _, alive := range []bool{true, false} {
			if _, err := s.Prune(); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(temp); (err == nil) != alive {
				t.Errorf("written at %v by a writer alive %v: %v", at, alive, err)
			}
			if alive {
				lock.Unlock()
			}
		}
	}
}

func TestFailure(t *testing.T) {
	s, now := open(t)
	f := TokenFailure{Code: "refused", Text: "access denied", Next: "allow it", Until: noon.Add(5 * time.Second)}
	if err := s.PutFailure(keyA, f); err != nil {
		t.Fatal(err)
	}
	if got, ok := s.Failure(keyA); !ok || got.Text != f.Text || got.Next != f.Next {
		t.Errorf("%+v, %v", got, ok)
	}
	s.Boot = func() string { return "another" }
	if _, ok := s.Failure(keyA); ok {
		t.Error("it outlived the machine's start")
	}
	s.Boot = func() string { return "boot" }
	*now = noon.Add(-time.Hour)
	if _, ok := s.Failure(keyA); ok {
		t.Error("the clock went back and it holds for an hour")
	}
	*now = noon.Add(5 * time.Second)
	if _, ok := s.Failure(keyA); ok {
		t.Error("it holds for ever")
	}
	*now = noon
	put(t, s, keyA, entry("one"))
	if _, ok := s.Failure(keyA); ok {
		t.Error("a token was had and it holds still")
	}
}

func TestAwait(t *testing.T) {
	s, _ := open(t)
	lock, err := s.TryLock(keyA)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.TryLock(keyA); !errors.Is(err, ErrLocked) {
		t.Errorf("locked twice: %v", err)
	}
	type result struct {
		entry Entry
		lock  *Lock
		err   error
	}
	results := make(chan result)
	for range 20 {
		go func() {
			e, l, err := s.Await(t.Context(), keyA, func(Entry) bool { return true })
			results <- result{e, l, err}
		}()
	}
	if err := s.Put(keyA, entry("one")); err != nil {
		t.Fatal(err)
	}
	for range 20 { // while the lock is held still
		if r := <-results; r.err != nil || r.lock != nil || r.entry.Secret != "one" {
			t.Errorf("%+v", r)
		}
	}
	// The file of the lock goes while somebody waits for it.
	go func() {
		l, err := s.Lock(t.Context(), keyA)
		results <- result{lock: l, err: err}
	}()
	if err := os.Remove(s.path(keyA, lockExt)); err != nil {
		t.Fatal(err)
	}
	lock.Unlock()
	r := <-results
	if r.err != nil || r.lock == nil {
		t.Fatal(r.err)
	}
	if _, err := s.TryLock(keyA); !errors.Is(err, ErrLocked) {
		t.Errorf("two hold the lock: %v", err)
	}
}

func TestCorrupt(t *testing.T) {
	s, _ := open(t)
	put(t, s, keyA, entry("one"))
	path := s.path(keyA, entryExt)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	corpus := []string{"null", "{}", "[]", "0", `""`, "true", "\x00", "\xff\xfe", `{"version":2}`, `{"version":1}`, `{"version":1,"secret":null}`, `{"version":1,"secret":1}`,
		`{"version":1,"secret":"x","issued_at":1}`, `{"version":1,"sealed":""}`, `{"version":1,"sealed":"AA=="}`, strings.Repeat("{", 1000), strings.Repeat("x", 200_000),
		string(good) + "1", string(good) + string(good), strings.Replace(string(good), "secret", "Secret2", 1)}
	for i := range good {
		corpus = append(corpus, string(good[:i]))
	}
	for _, text := range corpus {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if e, err := s.Get(keyA); !errors.Is(err, ErrNotFound) {
			t.Errorf("%.50q: %v, %v", text, e, err)
		}
	}
	put(t, s, keyA, entry("two"))
	for _, inside := range []string{"", "full"} {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join(path, inside), 0o700); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Get(keyA); !errors.Is(err, ErrNotFound) {
			t.Errorf("a directory: %v", err)
		}
		put(t, s, keyA, entry("three"))
		if e, err := s.Get(keyA); err != nil || e.Secret != "three" {
			t.Errorf("a directory in the way: %v", err)
		}
	}
}

func TestNoPlace(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := &Store{Dir: filepath.Join(file, "below")}
	if _, err := s.TryLock(keyA); err == nil {
		t.Error("no error")
	}
	if err := s.Put(keyA, entry("x")); err == nil {
		t.Error("no error")
	}
}

// A lock that is a link is not followed.
func TestLinkedLock(t *testing.T) {
	s, _ := open(t)
	put(t, s, keyA, entry("one"))
	path, target := s.path(keyA, lockExt), filepath.Join(t.TempDir(), "target")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
	if _, err := s.TryLock(keyA); !errors.Is(err, ErrUnsafe) || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Lstat(target); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the target of the link was made: %v", err)
	}
}

// A link under the name of a host is not followed, and its target stays what it is.
func TestLinkedHost(t *testing.T) {
	s, _ := open(t)
	expires := time.Now().Add(time.Hour).Truncate(time.Second)
	if err := s.MarkHost("other", expires); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	missing, existing := filepath.Join(dir, "missing"), filepath.Join(dir, "existing")
	if err := os.WriteFile(existing, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for host, target := range map[string]string{"missing": missing, "existing": existing} {
		if err := os.Symlink(target, filepath.Join(s.hosts(), fileOfHost(host))); err != nil {
			t.Fatal(err)
		}
		if err := s.MarkHost(host, time.Now().Add(24*time.Hour)); !errors.Is(err, ErrUnsafe) {
			t.Errorf("got %v", err)
		}
	}
	if _, err := os.Lstat(missing); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the target of the link was made: %v", err)
	}
	if info, err := os.Stat(existing); err != nil || info.ModTime().After(expires) {
		t.Errorf("the target of the link was changed: %v, %v", info.ModTime(), err)
	}
}

func FuzzDecode(f *testing.F) {
	good, err := tokenfile.Encode(keyA, entry("one"), nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte("ecrkit token 2\nsecret "))
	f.Add([]byte("ecrkit encrypted token 2\ntoken AAAA\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := tokenfile.Decode(keyA, data, nil)
		if err != nil {
			return
		}
		again, err := tokenfile.Encode(keyA, e, nil)
		if err != nil {
			t.Fatalf("%q: %v", data, err)
		}
		if got, err := tokenfile.Decode(keyA, again, nil); err != nil || got.Secret != e.Secret {
			t.Fatalf("%q: %v", data, err)
		}
	})
}
