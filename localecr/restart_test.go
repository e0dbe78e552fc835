package localecr_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"

	"github.com/ecrkit/ecrkit/localecr"
)

func TestARestartKeepsEverything(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data := random(1024)
	var m []byte
	var id *string
	var token string
	t.Run("before", func(t *testing.T) {
		r := newRig(t, localecr.Options{Dir: dir, Limits: smallParts()})
		r.repository("app")
		m = r.image("app", aws.String("v1"))
		id = r.start("app")
		if err := r.part("app", id, 0, data[:512]); err != nil {
			t.Fatal(err)
		}
		token = r.token
		if _, err := localecr.New(localecr.Options{Dir: dir}); !errors.Is(err, localecr.ErrInUse) {
			t.Errorf("a second server: %v", err)
		}
	})
	t.Run("after", func(t *testing.T) {
		r := newRig(t, localecr.Options{Dir: dir, Limits: smallParts()})
		r.token = token
		if got := r.v2("GET", "/v2/app/manifests/v1", nil); !bytes.Equal(got.body, m) {
			t.Errorf("%d %s", got.status, got.body)
		}
		if err := r.part("app", id, 512, data[512:]); err != nil {
			t.Fatal(err)
		}
		if err := r.complete("app", id, digestOf(data)); err != nil {
			t.Error(err)
		}
	})
}

// files lists the blobs and uploads of a store.
func files(t *testing.T, dir string) (out []string) {
	t.Helper()
	for _, sub := range []string{"blobs", "uploads"} {
		err := filepath.WalkDir(filepath.Join(dir, sub), func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				out = append(out, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func TestNothingIsLeftBehind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := newRig(t, localecr.Options{Dir: dir})
	r.repository("app")
	r.repository("two")
	data := random(100)
	r.layer("app", data)
	r.layerV2("two", data)
	if got := files(t, dir); len(got) != 1 {
		t.Fatalf("the same layer in two repositories is %v", got)
	}
	r.start("app")
	drop := func(name string) {
		if _, err := r.api.DeleteRepository(context.Background(), &ecr.DeleteRepositoryInput{RepositoryName: &name, Force: true}); err != nil {
			t.Fatal(err)
		}
	}
	drop("app")
	if got := files(t, dir); len(got) != 1 {
		t.Fatalf("after one of two: %v", got)
	}
	drop("two")
	if got := files(t, dir); len(got) != 0 {
		t.Fatalf("after both: %v", got)
	}
}

func TestWhatIsNotFinishedExpires(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := newRig(t, localecr.Options{Dir: dir})
	r.repository("app")
	m := r.image("app", aws.String("v1"))
	id := r.start("app")
	if err := r.part("app", id, 0, random(10)); err != nil {
		t.Fatal(err)
	}
	loose := r.layer("app", random(20))
	r.advance(23 * time.Hour)
	if err := r.srv.Expire(); err != nil {
		t.Fatal(err)
	}
	if err := r.part("app", id, 10, random(10)); err != nil {
		t.Fatalf("after 23 h: %v", err)
	}
	if n := len(files(t, dir)); n != 4 {
		t.Fatalf("%d files", n)
	}
	r.advance(25 * time.Hour)
	r.token = r.login(r.api)
	wantError(t, r.part("app", id, 20, random(10)), "UploadNotFoundException", *id) // at once, not at the next sweep
	if err := r.srv.Expire(); err != nil {
		t.Fatal(err)
	}
	if got := r.v2("HEAD", "/v2/app/blobs/"+loose, nil); got.status != 404 {
		t.Errorf("a layer without an image after 48 h: %d", got.status)
	}
	if n := len(files(t, dir)); n != 2 {
		t.Errorf("%d files are left, want those of the image", n)
	}
	// An image's layers live on for a day after it.
	r.v2("DELETE", "/v2/app/manifests/"+digestOf(m), nil)
	for _, c := range []struct {
		later time.Duration
		files int
	}{{23 * time.Hour, 2}, {2 * time.Hour, 0}} {
		r.advance(c.later)
		if err := r.srv.Expire(); err != nil {
			t.Fatal(err)
		}
		if n := len(files(t, dir)); n != c.files {
			t.Errorf("%v later: %d files, want %d", c.later, n, c.files)
		}
	}
}

func TestATemporaryStoreGoes(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	srv, err := localecr.New(localecr.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.Close(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("%v %v", left, err)
	}
}
