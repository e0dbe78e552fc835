package tokenstore

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/docker/docker-credential-helpers/client"
	"github.com/docker/docker-credential-helpers/credentials"
)

// fakeKeychain is a docker credential helper in memory.
type fakeKeychain struct {
	mu     sync.Mutex
	items  map[string]credentials.Credentials
	stored int
}

func (f *fakeKeychain) program(args ...string) client.Program { return &fakeRun{f, args[0], nil} }

type fakeRun struct {
	keychain *fakeKeychain
	action   string
	input    io.Reader
}

func (r *fakeRun) Input(in io.Reader) { r.input = in }

func (r *fakeRun) Output() ([]byte, error) {
	r.keychain.mu.Lock()
	defer r.keychain.mu.Unlock()
	data, err := io.ReadAll(r.input)
	if err != nil {
		return nil, err
	}
	switch r.action {
	case "get":
		item, ok := r.keychain.items[strings.TrimSpace(string(data))]
		if !ok {
			return []byte(credentials.NewErrCredentialsNotFound().Error()), errors.New("exit status 1")
		}
		return json.Marshal(item)
	case "store":
		var item credentials.Credentials
		if err := json.Unmarshal(data, &item); err != nil {
			return nil, err
		}
		r.keychain.items[item.ServerURL] = item
		r.keychain.stored++
		return nil, nil
	}
	return nil, errors.New("unknown action")
}

func TestKeychain(t *testing.T) {
	fake := &fakeKeychain{items: map[string]credentials.Credentials{}}
	s, _ := open(t)
	sealed := func() *Store {
		c := *s
		c.Sealer = &Keychain{Name: "fake", Dir: s.Dir, Program: fake.program}
		return &c
	}
	// Several processes make one key.
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := sealed().Sealer.Seal([]byte("x"), nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if fake.stored != 1 {
		t.Errorf("%d keys were made", fake.stored)
	}
	put(t, sealed(), keyA, entry("canary"))
	data, err := os.ReadFile(s.path(keyA, entryExt))
	if err != nil || strings.Contains(string(data), "canary") || strings.Contains(string(data), "us-east-1") {
		t.Errorf("in clear: %s, %v", data, err)
	}
	if e, err := sealed().Get(keyA); err != nil || e != entry("canary") {
		t.Errorf("%v, %v", e, err)
	}
	// The file of another key, the store without its keychain, another key: nothing is found.
	if err := os.WriteFile(s.path(keyB, entryExt), data, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sealed().Get(keyB); !errors.Is(err, ErrNotFound) {
		t.Errorf("another key's file: %v", err)
	}
	if _, err := s.Get(keyA); !errors.Is(err, ErrNotFound) {
		t.Errorf("without the keychain: %v", err)
	}
	delete(fake.items, keychainURL)
	if _, err := sealed().Get(keyA); !errors.Is(err, ErrNotFound) {
		t.Errorf("with another key: %v", err)
	}
	// What is no key is not written over, and never is anything stored in clear.
	fake.items[keychainURL] = credentials.Credentials{ServerURL: keychainURL, Secret: "nonsense"}
	if err := sealed().Put(keyB, entry("canary")); !errors.Is(err, ErrKeychain) || !strings.Contains(err.Error(), keychainURL) {
		t.Errorf("garbled: %v", err)
	}
	absent := &Store{Dir: s.Dir, Sealer: &Keychain{Name: "absent", Dir: s.Dir, Program: client.NewShellProgramFunc("docker-credential-absent-for-sure")}}
	err = absent.Put(keyB, entry("canary"))
	if !errors.Is(err, ErrKeychain) || !strings.Contains(err.Error(), "docker-credential-absent (cache.keychain: absent)") || !strings.Contains(err.Error(), "is installed") {
		t.Errorf("absent: %v", err)
	}
}
