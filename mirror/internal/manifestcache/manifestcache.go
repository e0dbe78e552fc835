// Package manifestcache keeps manifests in files by their digests, so that a later process need not ask a registry for them that
// counts pulls. What is read is compared with its digest.
package manifestcache

import (
	"bytes"
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// Dir is the directory of the cache, in which it alone has files; "" has nothing and takes nothing.
type Dir string

const (
	suffix     = ".manifest"
	tempSuffix = ".tmp" // of files that are being written
	// maxMediaType is the longest media type that is kept, in bytes.
	maxMediaType = 256
	// maxAge and maxBytes bound the cache.
	maxAge   = 30 * 24 * time.Hour
	maxBytes = 128 << 20
	// touchAge is after which time a use of a manifest is noted.
	touchAge = 24 * time.Hour
	// tempAge is after which time a temporary file has no writer any more.
	tempAge = time.Hour
	// sweptEvery is how often the cache is swept, and sweptFile a file whose time says when that was.
	sweptEvery = 24 * time.Hour
	sweptFile  = "swept"
)

// Repository is the manifests of one repository in the cache: what another registry says of one, its media type, does not count. The
// zero value has nothing and takes nothing.
type Repository struct {
	dir  Dir
	name string
}

// Of returns the manifests of a repository, HOST/REPOSITORY.
func (d Dir) Of(repository string) Repository { return Repository{d, repository} }

// IsZero reports whether nothing is kept.
func (r Repository) IsZero() bool { return r.dir == "" }

// path is the file of a manifest. Its name does not tell which one it is.
func (r Repository) path(name digest.Digest) string {
	return filepath.Join(string(r.dir), digest.FromString(r.name+"@"+string(name)).Encoded()+suffix)
}

// Get returns a manifest that was kept. What is damaged is not there.
func (r Repository) Get(name digest.Digest) (content.Manifest, bool) {
	if r.IsZero() || name.Validate() != nil {
		return content.Manifest{}, false
	}
	path := r.path(name)
	data, err := files.Read(path, content.MaxManifestSize+maxMediaType)
	if err != nil {
		return content.Manifest{}, false
	}
	mediaType, text, ok := bytes.Cut(data, []byte("\n"))
	if !ok || name.Algorithm().FromBytes(text) != name {
		return content.Manifest{}, false
	}
	if info, err := os.Lstat(path); err == nil && time.Since(info.ModTime()) > touchAge {
		now := time.Now()
		_ = os.Chtimes(path, now, now) // or it is removed earlier
	}
	return content.Manifest{Descriptor: content.Descriptor{MediaType: string(mediaType), Digest: name, Size: int64(len(text))}, Content: text}, true
}

// Put keeps a manifest, if it has its digest. That it cannot be written is no error: it is asked for again then.
func (r Repository) Put(m content.Manifest) {
	name, mediaType := m.Descriptor.Digest, m.Descriptor.MediaType
	if r.IsZero() || name.Validate() != nil || name.Algorithm().FromBytes(m.Content) != name ||
		len(mediaType) >= maxMediaType || strings.Contains(mediaType, "\n") || os.MkdirAll(string(r.dir), 0o700) != nil {
		return
	}
	// A file that is empty after a crash of the machine is as good as none.
	_ = files.WriteFileUnsynced(r.path(name), slices.Concat([]byte(mediaType+"\n"), m.Content), 0o600)
}

// Sweep removes what was last used long ago, and the oldest if there is too much, at most once a day.
func (d Dir) Sweep(now time.Time) error { return d.sweep(now, maxBytes) }

func (d Dir) sweep(now time.Time, most int64) error {
	if d == "" {
		return nil
	}
	due, err := files.Due(filepath.Join(string(d), sweptFile), now, sweptEvery)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // nothing was kept yet
	}
	if !due || err != nil {
		return err
	}
	entries, err := os.ReadDir(string(d))
	if err != nil {
		return err
	}
	var kept []fs.FileInfo
	var errs []error
	total := int64(0)
	remove := func(name string) {
		if err := os.Remove(filepath.Join(string(d), name)); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		age := now.Sub(info.ModTime())
		switch ext := filepath.Ext(e.Name()); {
		case ext == suffix && age > maxAge || ext == tempSuffix && age > tempAge:
			remove(e.Name())
		case ext == suffix:
			kept = append(kept, info)
			total += info.Size()
		}
	}
	slices.SortFunc(kept, func(a, b fs.FileInfo) int {
		return cmp.Or(a.ModTime().Compare(b.ModTime()), cmp.Compare(a.Name(), b.Name()))
	})
	for ; total > most; kept = kept[1:] {
		total -= kept[0].Size()
		remove(kept[0].Name())
	}
	return errors.Join(errs...)
}
