// Package journal remembers the uploads of layers that have begun, so that a
// later process resumes them. An entry is a hint: what the registry has is
// for the registry to say.
package journal

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ecrkit/ecrkit/internal/files"
)

// Dir is a directory of entries.
type Dir string

const (
	header     = "ecrkit-upload 1"
	suffix     = ".upload"
	lockSuffix = ".lock"
	tempSuffix = ".tmp" // an entry that is being written, under its lock
	// maxAge is how long an entry is kept: an upload does not live that long.
	maxAge = 7 * 24 * time.Hour
	// maxSize bounds what is read of an entry in bytes: a layer has at most 4,200
	// parts.
	maxSize = 1 << 18
)

// Upload is what an entry says.
type Upload struct {
	ID           string
	PartSize     int64 // in bytes
	Acknowledged int64 // bytes that the registry said it has
}

// Entry is the entry of one layer, which no other process has at the same time.
type Entry struct {
	path string
	lock *files.Lock
	file *os.File // for more lines; nil until there is one

	upload Upload // that an earlier process left behind, or this one began
}

// Upload returns what an earlier process left behind: the ID of the upload, "" if
// there is nothing, the size of its parts and the acknowledged bytes.
func (e *Entry) Upload() (id string, partSize, acknowledged int64) {
	return e.upload.ID, e.upload.PartSize, e.upload.Acknowledged
}

// path is where the entry of a layer is; key names the layer and where it goes.
func (d Dir) path(key string) string {
	sum := sha256.Sum256([]byte(key))
	return filepath.Join(string(d), hex.EncodeToString(sum[:])+suffix)
}

// Open opens the entry of a layer; nil if another process is uploading it.
func (d Dir) Open(key string) (*Entry, error) {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return nil, err
	}
	path := d.path(key)
	lock, err := files.Try(path + lockSuffix)
	if errors.Is(err, files.ErrLocked) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	e := &Entry{path: path, lock: lock}
	if f, err := files.OpenOwn(path, os.O_RDONLY, 0); err == nil {
		defer f.Close()
		// An entry that cannot be read is one that is missing.
		e.upload, _ = parse(f)
	}
	return e, nil
}

// parse reads an entry. A last line without its end, which was being written,
// does not count.
func parse(r io.Reader) (Upload, error) {
	lines := bufio.NewReader(io.LimitReader(r, maxSize))
	line, err := lines.ReadString('\n')
	if err != nil || line != header+"\n" {
		return Upload{}, errors.New("not a journal entry")
	}
	var u Upload
	line, err = lines.ReadString('\n')
	if err != nil {
		return Upload{}, err
	}
	if n, err := fmt.Sscanf(line, "upload %s %d\n", &u.ID, &u.PartSize); n != 2 || err != nil || u.PartSize <= 0 || len(u.ID) > 1024 {
		return Upload{}, fmt.Errorf("not an upload: %q", line)
	}
	for {
		line, err = lines.ReadString('\n')
		if err == io.EOF {
			return u, nil
		}
		if err != nil {
			return Upload{}, err
		}
		acknowledged := int64(-1)
		if n, err := fmt.Sscanf(line, "acknowledged %d\n", &acknowledged); n != 1 || err != nil || acknowledged < u.Acknowledged {
			return u, nil // what was being written when the machine went down
		}
		u.Acknowledged = acknowledged
	}
}

// Begin makes the entry that of a new upload.
func (e *Entry) Begin(id string, partSize int64) error {
	if strings.ContainsAny(id, " \r\n") || id == "" {
		return fmt.Errorf("upload ID %q cannot be written to a journal", id)
	}
	e.upload = Upload{ID: id, PartSize: partSize}
	return e.rewrite()
}

// rewrite writes what is known of the upload in the place of what is there, which may
// end in the half of a line, and opens the file for more.
func (e *Entry) rewrite() error {
	e.closeFile()
	text := fmt.Sprintf("%s\nupload %s %d\n", header, e.upload.ID, e.upload.PartSize)
	if e.upload.Acknowledged > 0 {
		text += acknowledged(e.upload.Acknowledged)
	}
	if err := e.replace(text); err != nil {
		return err
	}
	f, err := files.OpenOwn(e.path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	e.file = f
	return nil
}

// replace writes the file of the entry. Its temporary file has a fixed name, so that
// whoever has the entry next removes what a killed process has left of it.
func (e *Entry) replace(text string) error {
	f, err := files.CreateAs(e.path+tempSuffix, e.path, 0o600)
	if err != nil {
		return err
	}
	defer f.Discard()
	if _, err := f.WriteString(text); err != nil {
		return err
	}
	return f.CommitUnsynced()
}

func (e *Entry) closeFile() {
	if e.file != nil {
		e.file.Close()
		e.file = nil
	}
}

func acknowledged(n int64) string { return fmt.Sprintf("acknowledged %d\n", n) }

// Acknowledge notes how many bytes the registry has.
func (e *Entry) Acknowledge(n int64) error {
	if e.file == nil {
		if err := e.rewrite(); err != nil {
			return err
		}
	}
	_, err := e.file.WriteString(acknowledged(n))
	return err
}

// Close leaves the entry for a later process, if it says anything.
func (e *Entry) Close() error {
	if e.upload.ID == "" {
		return e.Remove()
	}
	e.closeFile()
	e.lock.Release()
	return nil
}

// Remove removes the entry.
func (e *Entry) Remove() error {
	e.closeFile()
	defer e.lock.Remove()
	for _, name := range []string{e.path + tempSuffix, e.path} {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Forget removes the entry of a layer, if there is one and no process has it.
func (d Dir) Forget(key string) error { return forget(d.path(key)) }

func forget(path string) error {
	if !slices.ContainsFunc([]string{path, path + lockSuffix, path + tempSuffix}, exists) {
		return nil
	}
	lock, err := files.Try(path + lockSuffix)
	if errors.Is(err, files.ErrLocked) {
		return nil
	}
	if err != nil {
		return err
	}
	return (&Entry{path: path, lock: lock}).Remove()
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// Sweep removes entries that are too old to be of use.
func (d Dir) Sweep(now time.Time) error {
	entries, err := os.ReadDir(string(d))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		name, ok := strings.CutSuffix(strings.TrimSuffix(strings.TrimSuffix(e.Name(), lockSuffix), tempSuffix), suffix)
		info, err := e.Info()
		if !ok || err != nil || now.Sub(info.ModTime()) < maxAge {
			continue
		}
		if err := forget(filepath.Join(string(d), name+suffix)); err != nil {
			return err
		}
	}
	return nil
}
