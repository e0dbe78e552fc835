package tokenfile

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"time"
)

// Shortcut leads from a request to the key of its token without working out the
// key, as long as all is the same that it was worked out from.
type Shortcut struct {
	Key   Key
	Files Snapshot
	Until time.Time // the key may be another then; zero is never
}

// Snapshot is the state of some files, whether they exist or not.
type Snapshot struct {
	Paths []string
	sum   string
}

// maxSnapshot bounds a file of a snapshot, in bytes. AWS config files of
// thousands of profiles are smaller.
const maxSnapshot = 4 << 20

// Snap takes a snapshot. Two of the same paths are equal if the files have the
// same content and the same time of modification. It fails if a path is neither a
// regular file nor nothing.
func Snap(paths []string) (Snapshot, error) {
	sum := sha256.New()
	for _, path := range paths {
		if err := snapFile(sum, path); err != nil {
			return Snapshot{}, err
		}
	}
	return Snapshot{Paths: paths, sum: hex.EncodeToString(sum.Sum(nil))}, nil
}

// Equal reports whether nothing has changed from one to the other.
func (s Snapshot) Equal(other Snapshot) bool {
	if len(s.Paths) != len(other.Paths) {
		return false
	}
	for i := range s.Paths {
		if s.Paths[i] != other.Paths[i] {
			return false
		}
	}
	return s.sum == other.sum
}

func snapFile(sum hash.Hash, path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(sum, "%d:%s absent\n", len(path), path)
		return nil
	}
	if err != nil {
		return err
	}
	content, err := readRegular(path, maxSnapshot)
	if err != nil {
		return err
	}
	fmt.Fprintf(sum, "%d:%s %d %x\n", len(path), path, info.ModTime().UnixNano(), sha256.Sum256(content))
	return nil
}

// shortcutFile is a Shortcut as JSON.
type shortcutFile struct {
	Version int       `json:"version"`
	Recipe  string    `json:"recipe"`
	Paths   []string  `json:"paths"`
	Sum     string    `json:"sum"`
	Until   time.Time `json:"until,omitzero"`
	// Expires is when the token expires to which the shortcut leads: the token of
	// a later time is to be marked as given to the host first.
	Expires time.Time `json:"expires"`
}

// Follow gives the token to which the shortcut of a request leads, if it is fresh.
// A request is named by a SHA-256 digest in lower-case hexadecimal.
func (d Dir) Follow(request string) (Entry, bool) {
	if d.Sealer != nil || d.Check() != nil {
		return Entry{}, false
	}
	data, err := d.Read(Key{Recipe: request}, ShortcutExt)
	if err != nil {
		return Entry{}, false
	}
	var f shortcutFile
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if decoder.Decode(&f) != nil || f.Version != version || !f.Until.IsZero() && !d.now().Before(f.Until) {
		return Entry{}, false
	}
	key, ok := ParseKey(f.Recipe)
	if !ok {
		return Entry{}, false
	}
	now, err := Snap(f.Paths)
	if err != nil || now.sum != f.Sum {
		return Entry{}, false
	}
	entry, err := d.Get(key)
	if err != nil || entry.State(key, d.now()) != Fresh || !entry.ExpiresAt.Equal(f.Expires) {
		return Entry{}, false
	}
	return entry, true
}

// Encode writes the file of the shortcut to a token that expires then.
func (sc Shortcut) Encode(expires time.Time) ([]byte, error) {
	return json.Marshal(shortcutFile{Version: version, Recipe: sc.Key.Recipe, Paths: sc.Files.Paths,
		Sum: sc.Files.sum, Until: sc.Until.UTC(), Expires: expires.UTC()})
}
