package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dustin/go-humanize"
)

const (
	noSpace   = 64 << 20 // bytes that even a small image needs
	lowSpace  = 1 << 30
	unpacking = 3 // how much more an image needs unpacked than compressed, about
)

// disk looks at the free space where images and tokens are written.
type disk struct{}

// Run implements [Check].
func (disk) Run(_ context.Context, s *Session) Finding {
	var known *imageFacts
	var root string
	s.know(func(f *facts) { known, root = f.image, f.engine.RootDir })
	needed := int64(noSpace)
	if known != nil {
		needed = max(needed, known.size)
	}
	low := ok("")
	least := Space{Bytes: 1 << 63}
	for _, d := range []struct{ name, dir, make string }{
		{"the directory for temporary files", s.TempDir, "Set TMPDIR to a directory with more space."},
		{"docker's directory", s.dockerRoot(root), "Remove images and build caches: `docker system df`, `docker image prune`."},
		{"the cache directory", s.CacheDir, "Free space there, or set ECRKIT_CACHE_DIR."},
	} {
		dir := existingDir(d.dir)
		if dir == "" {
			continue
		}
		free, err := s.Free(dir)
		switch {
		case errors.Is(err, errors.ErrUnsupported):
			continue
		case err != nil:
			return failed(fmt.Sprintf("%s, %s: %v", d.name, dir, err))
		case free.Full:
			return failed(fmt.Sprintf("%s, %s, has no inode free: \"no space left on device\"", d.name, dir), d.make)
		case d.dir == s.CacheDir:
			// Tokens are small, and a file system that is only read has no space.
			if free.Bytes < 1<<20 && s.chosenCache() {
				return failed(fmt.Sprintf("%s, %s, is full", d.name, dir), d.make)
			}
			continue
		case free.Bytes < uint64(needed):
			return failed(fmt.Sprintf("%s, %s, has %s free: pulls fail with \"no space left on device\" or \"filesystem layer verification failed\"", d.name, dir, humanize.IBytes(free.Bytes)), d.make)
		case low.Status == OK && free.Bytes < max(lowSpace, unpacking*uint64(needed)):
			low = warning(fmt.Sprintf("%s, %s, has %s free", d.name, dir, humanize.IBytes(free.Bytes)), d.make)
		}
		if free.Bytes < least.Bytes {
			least = free
		}
	}
	if f := s.writable(); f.Status != "" {
		return f
	}
	if low.Status == OK {
		low.Found = "at least " + humanize.IBytes(least.Bytes) + " free"
	}
	return low
}

// dockerRoot returns docker's directory; the engine may be on another machine.
func (s *Session) dockerRoot(said string) string {
	if said == "" {
		if _, err := s.LookPath("docker"); err != nil {
			return ""
		}
		said = "/var/lib/docker"
	}
	if _, err := os.Stat(said); err != nil {
		return ""
	}
	return said
}

// cacheVariable names the directory of the token cache.
const cacheVariable = "ECRKIT_CACHE_DIR"

// chosenCache reports whether somebody chose the directory of the token cache. Otherwise it is in the
// home directory, which may be read-only in a container or job: that is no failure.
func (s *Session) chosenCache() bool { return s.CacheDir != s.Env.DefaultCache() }

// writable tries to write to our own directories.
func (s *Session) writable() Finding {
	if s.NoCache != "" {
		return warning("there is no token cache: "+s.NoCache, "A token is requested each time until then.")
	}
	found := Finding{}
	for name, dir := range map[string]string{cacheVariable: s.CacheDir, "TMPDIR": s.TempDir} {
		err := tryWriting(dir)
		if err == nil {
			continue
		}
		text := fmt.Sprintf("%s can't be written: %v", dir, reasonOfFile(err))
		advice := "Set " + name + " to a directory that this user can write to."
		if name != cacheVariable || s.chosenCache() {
			return failed(text, advice)
		}
		found = warning("there is no token cache: "+text, advice, "A token is requested each time until then.")
	}
	return found
}

// tryWriting makes and removes a file in dir, or where dir would be made.
func tryWriting(dir string) error {
	if _, err := os.Stat(dir); dir != "" && err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if dir = existingDir(dir); dir == "" {
		return nil
	}
	f, err := os.CreateTemp(dir, ".ecrkit-doctor-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

func reasonOfFile(err error) error {
	var file *fs.PathError
	if errors.As(err, &file) {
		return file.Err
	}
	return err
}

// existingDir returns dir, or the nearest directory above it that exists.
func existingDir(dir string) string {
	if dir == "" {
		return ""
	}
	for {
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			return dir
		}
		above := filepath.Dir(dir)
		if above == dir {
			return ""
		}
		dir = above
	}
}
