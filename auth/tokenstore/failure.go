package tokenstore

import (
	"encoding/json"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/ecrkit/ecrkit/internal/tokenwrite"
)

// TokenFailure is why there is no token, remembered for a short time.
type TokenFailure struct {
	Code  string    `json:"code"` // of the caller's choice
	Text  string    `json:"text"` // the cause, for the user
	Next  string    `json:"next"` // what to do about it
	Until time.Time `json:"until"`
	Boot  string    `json:"boot"` // set by PutFailure: it does not outlive a restart
}

// PutFailure remembers a failure until f.Until.
func (s *Store) PutFailure(key Key, f TokenFailure) error {
	if err := s.prepare(); err != nil {
		return err
	}
	f.Boot = s.boot()
	data, err := json.Marshal(f)
	if err != nil {
		return err
	}
	return tokenwrite.Replace(s.dir(), key, failureExt, data, f.Until)
}

// maxFailure bounds how long a failure holds, should the clock have been wrong.
const maxFailure = 5 * time.Minute

// Failure returns the remembered failure of a key. ok is false if there is none.
func (s *Store) Failure(key Key) (TokenFailure, bool) {
	var f TokenFailure
	if s.check() != nil {
		return f, false
	}
	data, err := s.dir().Read(key, failureExt)
	if err != nil || json.Unmarshal(data, &f) != nil {
		return TokenFailure{}, false
	}
	left := f.Until.Sub(s.now())
	if left <= 0 || left > maxFailure || f.Boot != s.boot() {
		return TokenFailure{}, false
	}
	return f, true
}

func (s *Store) boot() string {
	if s.Boot != nil {
		return s.Boot()
	}
	if runtime.GOOS != "linux" {
		return ""
	}
	// Without the file there is no such identity, as on other systems.
	id, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(id))
}
