package media

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/imagetree"
	"github.com/ecrkit/ecrkit/internal/test/memory"
	"github.com/ecrkit/ecrkit/mirror"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/archive"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// smallWorld has two repositories that share a layer, and one layer that is not kept in memory.
func smallWorld(t *testing.T) (world, mirror.Config) {
	w := world{"a.example/web": {Store: memory.New("web")}, "a.example/db": {Store: memory.New("db")}}
	w["a.example/web"].put(t, "1", 1, 150<<10, 1000)
	w["a.example/web"].put(t, "2", 1, 150<<10, 512)
	w["a.example/db"].put(t, "1", 1, 150<<10, 80<<10)
	return w, mirror.Config{Images: []mirror.ImageRules{{From: "a.example/web"}, {From: "a.example/db", Name: "team/db"}}}
}

// streamed returns a set in one file.
func streamed(t *testing.T, w world, opts ExportOptions) []byte {
	t.Helper()
	_, c := smallWorld(t)
	var out bytes.Buffer
	_, err := ExportStream(t.Context(), c, w, &out, opts)
	check(t, err)
	return out.Bytes()
}

// load copies all images of a set to a world whose repositories have no registry in their names, as an
// import does.
func load(t *testing.T, r *Reader, far world) error {
	t.Helper()
	var placements []Placement
	for _, image := range r.Images {
		target, err := far.Target(t.Context(), image.Name)
		check(t, err)
		placements = append(placements, Placement{image.Repository, image.Digest, target})
	}
	if err := r.Store(t.Context(), placements, transfer.Options{}); err != nil {
		return err
	}
	for i, image := range r.Images {
		src, err := r.Repository(image.Repository)
		check(t, err)
		if _, err := transfer.Copy(t.Context(), src, placements[i].Target, transfer.Options{Reference: string(image.Digest), Tags: image.Tags}); err != nil {
			return err
		}
	}
	return nil
}

// TestOneFile writes the same bytes to a file and to a stream, which any reader of layouts reads.
func TestOneFile(t *testing.T) {
	t.Parallel()
	w, c := smallWorld(t)
	stream := streamed(t, w, ExportOptions{})
	path := filepath.Join(t.TempDir(), "set.tar")
	s, err := ExportFile(t.Context(), c, w, path, ExportOptions{})
	check(t, err)
	file, err := os.ReadFile(path)
	check(t, err)
	if !bytes.Equal(stream, file) {
		t.Fatal("the stream and the file differ")
	}
	if len(s.Parts) != 1 || s.Parts[0].Name != "set.tar" || s.Parts[0].Digest != digest.FromBytes(file) {
		t.Errorf("%+v", s.Parts)
	}
	inDir, err := export(t, w, c, t.TempDir(), 0)
	check(t, err)
	if inDir.ID != s.ID || inDir.Size != s.Size {
		t.Errorf("the set in a directory is %s of %d bytes, and the one in a file %s of %d", inDir.ID, inDir.Size, s.ID, s.Size)
	}
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 1 {
		t.Errorf("files are left: %v", left)
	}
	if again, err := ExportFile(t.Context(), c, w, path, ExportOptions{}); err != nil || again.Parts[0] != s.Parts[0] {
		t.Errorf("again: %+v, %v", again, err)
	}
	c.Images = c.Images[:1]
	if _, err := ExportFile(t.Context(), c, w, path, ExportOptions{}); !errors.Is(err, content.ErrConflict) {
		t.Errorf("another set: %v", err)
	}
	notSet := filepath.Join(t.TempDir(), "notes.tar")
	check(t, os.WriteFile(notSet, []byte("mine"), 0o600))
	if _, err := ExportFile(t.Context(), c, w, notSet, ExportOptions{}); !errors.Is(err, content.ErrConflict) {
		t.Errorf("another file: %v", err)
	}
	a, err := archive.Open(t.Context(), path, "")
	check(t, err)
	defer a.Close()
	if _, err := imagetree.ResolveVerified(t.Context(), a, "a.example/db:1"); err != nil {
		t.Error(err)
	}
	if _, err := Verify(t.Context(), path, ReadOptions{}); err != nil {
		t.Error(err)
	}
	r, err := Open(path, ReadOptions{})
	check(t, err)
	defer r.Close()
	far := world{}
	check(t, load(t, r, far))
	sameWorlds(t, w, far)
}

func sameWorlds(t *testing.T, near, far world) {
	t.Helper()
	for from, name := range map[string]string{"a.example/web": "web", "a.example/db": "team/db"} {
		for _, tag := range near[from].tags {
			want, err := near[from].Resolve(t.Context(), tag)
			check(t, err)
			got, err := far[name].Resolve(t.Context(), tag)
			if err != nil || !bytes.Equal(got.Content, want.Content) {
				t.Errorf("%s:%s: %v", name, tag, err)
			}
		}
	}
}

// TestStream imports a set that can be read only once, and stores each blob once in each repository.
func TestStream(t *testing.T) {
	t.Parallel()
	w, _ := smallWorld(t)
	data := streamed(t, w, ExportOptions{})
	temp := t.TempDir()
	r, err := OpenStream(t.Context(), iotest.OneByteReader(bytes.NewReader(data)), "stdin", temp, ReadOptions{})
	check(t, err)
	far := world{}
	check(t, load(t, r, far))
	sameWorlds(t, w, far)
	check(t, r.Close())
	if left, _ := os.ReadDir(temp); len(left) > 0 {
		t.Errorf("files are left: %v", left)
	}
	if sent := far["web"].Sent(); sent > 150<<10+20000 {
		t.Errorf("%d bytes were sent to web", sent)
	}
	// Again, nothing is sent.
	before := far["web"].Sent()
	r, err = OpenStream(t.Context(), bytes.NewReader(data), "stdin", temp, ReadOptions{})
	check(t, err)
	check(t, load(t, r, far))
	check(t, r.Close())
	if after := far["web"].Sent(); after != before {
		t.Errorf("%d bytes were sent again", after-before)
	}
}

// smallDisk takes some bytes.
type smallDisk struct{ room int }

var errFullDisk = errors.New("no space left on device")

func (d *smallDisk) Write(p []byte) (int, error) {
	if d.room -= len(p); d.room < 0 {
		return 0, errFullDisk
	}
	return len(p), nil
}

// TestStreamToSmallDisk blames the repository for no error of who takes the stream, in a large layer or behind it.
func TestStreamToSmallDisk(t *testing.T) {
	t.Parallel()
	w := world{"a.example/web": {Store: memory.New("web")}}
	w["a.example/web"].put(t, "1", 1, maxAhead+1, 1000)
	c := mirror.Config{Images: []mirror.ImageRules{{From: "a.example/web"}}}
	for _, room := range []int{0, maxAhead / 2, maxAhead + 8000} {
		_, err := ExportStream(t.Context(), c, w, &smallDisk{room}, ExportOptions{})
		if !errors.Is(err, errFullDisk) || strings.Contains(err.Error(), "web") {
			t.Errorf("room for %d bytes: %v", room, err)
		}
	}
}

// TestStreamEnds has the stream end early everywhere: no image arrives, and what has arrived is of use.
func TestStreamEnds(t *testing.T) {
	t.Parallel()
	w, _ := smallWorld(t)
	data := streamed(t, w, ExportOptions{})
	for _, n := range []int{0, 1, 511, 512, 1024, 3000, 6000, len(data) - 150<<10, len(data) - 70<<10, len(data) - 1025, len(data) - 1024, len(data) - 512, len(data) - 1} {
		far := world{}
		r, err := OpenStream(t.Context(), bytes.NewReader(data[:n]), "stdin", t.TempDir(), ReadOptions{})
		if err == nil {
			err = load(t, r, far)
			check(t, r.Close())
		}
		if !errors.Is(err, content.ErrIntegrity) && !(n < 10000 && errors.Is(err, ErrNoSet)) {
			t.Errorf("after %d of %d bytes: %v", n, len(data), err)
		}
		for name, repository := range far {
			for _, tag := range []string{"1", "2"} {
				if _, err := repository.Resolve(t.Context(), tag); err == nil {
					t.Errorf("after %d bytes, %s has the tag %s", n, name, tag)
				}
			}
		}
		if _, err := VerifyStream(t.Context(), bytes.NewReader(data[:n]), ReadOptions{}); err == nil {
			t.Errorf("verified after %d bytes", n)
		}
	}
	if _, err := VerifyStream(t.Context(), io.MultiReader(bytes.NewReader(data), strings.NewReader("x")), ReadOptions{}); !errors.Is(err, content.ErrIntegrity) {
		t.Errorf("more bytes: %v", err)
	}
}

// TestStreamLarge passes a blob on as it comes.
func TestStreamLarge(t *testing.T) {
	t.Parallel()
	w, c := newWorld(t)
	w["a.example/db"].put(t, "large", 2, maxAhead+1)
	var data bytes.Buffer
	_, err := ExportStream(t.Context(), c, w, &data, ExportOptions{})
	check(t, err)
	r, err := OpenStream(t.Context(), &data, "stdin", t.TempDir(), ReadOptions{})
	check(t, err)
	defer r.Close()
	far := world{}
	check(t, load(t, r, far))
	sameWorlds(t, w, far)
}

// TestOneFileFlips finds each flipped bit.
func TestOneFileFlips(t *testing.T) {
	t.Parallel()
	oneFileFlips(t, 60)
}

func oneFileFlips(t *testing.T, n int) {
	t.Helper()
	w, _ := smallWorld(t)
	data := streamed(t, w, ExportOptions{})
	rng := rand.New(rand.NewPCG(5, 6))
	for i := range n {
		at := rng.IntN(len(data))
		if i%2 == 0 {
			at = rng.IntN(20000) // descriptions, headers and padding
		}
		bit := byte(1) << rng.IntN(8)
		data[at] ^= bit
		if _, err := VerifyStream(t.Context(), bytes.NewReader(data), ReadOptions{}); !errors.Is(err, content.ErrIntegrity) && !errors.Is(err, ErrNoSet) && !errors.Is(err, content.ErrUnsupported) {
			t.Errorf("bit %d of byte %d: %v", bit, at, err)
		}
		data[at] ^= bit
	}
	if _, err := VerifyStream(t.Context(), bytes.NewReader(data), ReadOptions{}); err != nil {
		t.Error(err)
	}
}

// TestOneFileSigned verifies the signature before anything else is used.
func TestOneFileSigned(t *testing.T) {
	t.Parallel()
	w, c := smallWorld(t)
	var signed []byte
	opts := ExportOptions{Sign: func(_ context.Context, set []byte) ([]byte, error) {
		signed = set
		return []byte(`{"signature": "` + digest.FromBytes(set).Encoded() + `"}`), nil
	}}
	data := streamed(t, w, opts)
	verify := ReadOptions{Verify: func(set, signature []byte) error {
		if string(signature) != `{"signature": "`+digest.FromBytes(set).Encoded()+`"}` {
			return errors.New("not signed")
		}
		return nil
	}}
	if s, err := VerifyStream(t.Context(), bytes.NewReader(data), verify); err != nil || !bytes.Contains(signed, []byte(s.ID)) {
		t.Error(err)
	}
	if _, err := VerifyStream(t.Context(), bytes.NewReader(streamed(t, w, ExportOptions{})), verify); err == nil || !strings.Contains(err.Error(), "not signed") {
		t.Errorf("without a signature: %v", err)
	}
	path := filepath.Join(t.TempDir(), "set.tar")
	_, err := ExportFile(t.Context(), c, w, path, opts)
	check(t, err)
	file, err := os.ReadFile(path)
	check(t, err)
	if !bytes.Equal(file, data) {
		t.Error("the stream and the file differ")
	}
	if _, err := ExportFile(t.Context(), c, w, path, ExportOptions{}); !errors.Is(err, content.ErrConflict) {
		t.Errorf("the same set, but signed: %v", err)
	}
	// A tag that was changed does not count, whoever adapts the sum.
	flipped := bytes.Replace(data, []byte(`"web"`), []byte(`"wxb"`), 1)
	if _, err := OpenStream(t.Context(), bytes.NewReader(flipped), "stdin", t.TempDir(), verify); err == nil {
		t.Error("a changed name was read")
	}
}

// TestForeignTar refuses tars that are no sets, and what no export writes.
func TestForeignTar(t *testing.T) {
	t.Parallel()
	w, c := smallWorld(t)
	dir := t.TempDir()
	_, err := export(t, w, c, dir, 0)
	check(t, err)
	if _, err := Open(filepath.Join(dir, "images.tar"), ReadOptions{}); !errors.Is(err, ErrNoSet) {
		t.Errorf("a part of a set: %v", err)
	}
	var out bytes.Buffer
	in, to := tar.NewReader(bytes.NewReader(streamed(t, w, ExportOptions{}))), tar.NewWriter(&out)
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		check(t, err)
		if strings.HasPrefix(h.Name, "blobs/") {
			h.Mode = 0o600
		}
		check(t, to.WriteHeader(h))
		_, err = io.Copy(to, in)
		check(t, err)
	}
	check(t, to.Close())
	if _, err := VerifyStream(t.Context(), &out, ReadOptions{}); !errors.Is(err, content.ErrIntegrity) {
		t.Errorf("another tar: %v", err)
	}
}

// fullDisk is a file on a disk without room.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

// TestFullDiskOfStream has no room for what is kept of a stream: that does not say that the stream is no set.
func TestFullDiskOfStream(t *testing.T) {
	t.Parallel()
	w, c := newWorld(t)
	path := filepath.Join(t.TempDir(), "set.tar")
	_, err := ExportFile(t.Context(), c, w, path, ExportOptions{})
	check(t, err)
	f, err := os.Open(path)
	check(t, err)
	defer f.Close()
	if _, err := readSequence(f, fullDisk{}, ReadOptions{}); !errors.Is(err, syscall.ENOSPC) || errors.Is(err, ErrNoSet) || errors.Is(err, content.ErrIntegrity) {
		t.Errorf("a disk that is full: %v", err)
	}
}
