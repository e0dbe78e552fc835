package archive

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/internal/test/trap"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/internal/partial"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// TestTargetTraps writes an archive beside what others have put under the names of the
// directory and the files that it needs.
func TestTargetTraps(t *testing.T) {
	t.Parallel()
	dir, _, _ := fixture.Layout(t, 1)
	m, err := layout.New(dir).Resolve(t.Context(), "image")
	fixture.Check(t, err)
	const staging = partial.Prefix + "app.tar"
	for _, name := range []string{
		staging, staging + ".lock", staging + ".tar",
		staging + "/blobs", staging + "/blobs/sha256", staging + "/index.json", staging + "/oci-layout",
		staging + "/" + partial.Prefix + "tar", staging + "/" + partial.Prefix + "lock", staging + "/blobs/sha256/" + m.Descriptor.Digest.Encoded(),
		staging + "/" + partial.Name(m.Descriptor.Digest), staging + "/" + partial.Name(m.Descriptor.Digest) + partial.LockSuffix,
	} {
		trap.Each(t, func(t *testing.T, kind string, lay func(string)) {
			path := filepath.Join(t.TempDir(), "app.tar")
			planted := filepath.Join(filepath.Dir(path), filepath.FromSlash(name))
			fixture.Check(t, os.MkdirAll(filepath.Dir(planted), 0o700))
			lay(planted)
			_, err := copyTo(t, layout.New(dir), NewTarget(path), transfer.Options{Reference: "image", Tags: []string{"image"}})
			if err != nil {
				// An error leaves no archive, and says what is in the way.
				if _, statErr := os.Lstat(path); !errors.Is(statErr, os.ErrNotExist) || !strings.Contains(err.Error(), staging) && !strings.Contains(err.Error(), filepath.Base(name)) {
					t.Errorf("%s: %v (%v)", name, err, statErr)
				}
				return
			}
			if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
				t.Errorf("%s: %v, %v", name, info, err)
			}
			unpack(t, path, "image")
		})
	}
}

// TestTargetStagingOfOthers does not use a directory to which others can write.
func TestTargetStagingOfOthers(t *testing.T) {
	t.Parallel()
	dir, _, _ := fixture.Layout(t, 1)
	for name, open := range map[string]func(path string) error{
		"mode": func(path string) error { return os.Chmod(path, 0o777) },
		"user": func(path string) error {
			if os.Geteuid() != 0 {
				return os.Chmod(path, 0o772) // others cannot be had
			}
			return os.Chown(path, 65534, 65534)
		},
	} {
		path := filepath.Join(t.TempDir(), "app.tar")
		staging := filepath.Join(filepath.Dir(path), partial.Prefix+"app.tar")
		fixture.Check(t, os.Mkdir(staging, 0o700))
		fixture.Check(t, open(staging))
		_, err := copyTo(t, layout.New(dir), NewTarget(path), transfer.Options{Reference: "image", Tags: []string{"image"}})
		fixture.Check(t, err)
		unpack(t, path, "image")
		left, err := os.ReadDir(staging)
		fixture.Check(t, err)
		beside, err := os.ReadDir(filepath.Dir(path))
		fixture.Check(t, err)
		if len(left) != 0 || len(beside) != 2 {
			t.Errorf("%s: written to the directory of others: %v; beside it: %v", name, left, beside)
		}
	}
}

// changed is a source that has a file changed after all blobs are read.
type changed struct {
	content.Target
	change func()
}

func (c changed) Commit(ctx context.Context) error {
	c.change()
	return c.Target.(interface{ Commit(context.Context) error }).Commit(ctx)
}

// TestTargetChecksWhatItWrites has somebody change the bytes of a blob after they were
// checked: no archive has them.
func TestTargetChecksWhatItWrites(t *testing.T) {
	t.Parallel()
	dir, image, _ := fixture.Layout(t, 2)
	layers, err := image.Layers()
	fixture.Check(t, err)
	blob := fixture.DigestOf(t, layers[1])
	spoil := func(t *testing.T, path string) {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		fixture.Check(t, err)
		defer f.Close()
		data, err := io.ReadAll(f)
		fixture.Check(t, err)
		original, err := os.ReadFile(fixture.BlobFile(dir, blob))
		fixture.Check(t, err)
		at := strings.Index(string(data), string(original))
		if at < 0 {
			t.Fatal("the blob is not in the file")
		}
		_, err = f.WriteAt([]byte{original[0] ^ 1}, int64(at))
		fixture.Check(t, err)
	}
	opts := transfer.Options{Reference: "image", Tags: []string{"image"}}
	for _, place := range []string{"directory", "temporary directory", "file"} {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			path, temp := filepath.Join(t.TempDir(), "app.tar"), t.TempDir()
			staging := filepath.Join(filepath.Dir(path), partial.Prefix+"app.tar")
			target := NewTarget(path)
			var before []byte
			switch place {
			case "temporary directory":
				target = NewStreamTarget(io.Discard, temp)
			case "file":
				_, err := copyTo(t, layout.New(dir), NewTarget(path), opts)
				fixture.Check(t, err)
			}
			_, err := transfer.Copy(t.Context(), layout.New(dir), changed{target, func() {
				switch place {
				case "file":
					spoil(t, path)
					before, err = os.ReadFile(path)
					fixture.Check(t, err)
				case "directory":
					spoil(t, fixture.BlobFile(staging, blob))
				default:
					dirs, err := os.ReadDir(temp)
					fixture.Check(t, err)
					spoil(t, fixture.BlobFile(filepath.Join(temp, dirs[0].Name()), blob))
				}
			}}, opts)
			if !errors.Is(err, content.ErrIntegrity) || !strings.Contains(err.Error(), string(blob)) {
				t.Errorf("got %v", err)
			}
			fixture.Check(t, target.Close())
			if after, err := os.ReadFile(path); string(after) != string(before) || place != "file" && !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the file was written (%v)", err)
			}
			if place != "directory" {
				return
			}
			// The next copy brings the blob again.
			_, err = copyTo(t, layout.New(dir), NewTarget(path), opts)
			fixture.Check(t, err)
			unpack(t, path, "image")
			onlyFile(t, path)
		})
	}
}

// TestTargetPrivate has the image put together where others cannot look.
func TestTargetPrivate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "app.tar")
	target := NewTarget(path)
	defer target.Close()
	_, err := target.MissingBlobs(t.Context(), nil)
	fixture.Check(t, err)
	info, err := os.Stat(filepath.Join(filepath.Dir(path), files.TempPrefix+"app.tar"))
	fixture.Check(t, err)
	if info.Mode().Perm() != 0o700 {
		t.Errorf("mode %v", info.Mode())
	}
}
