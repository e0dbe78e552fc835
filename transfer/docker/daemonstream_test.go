package docker_test

import (
	"archive/tar"
	"bytes"
	"io"
	"path/filepath"
	"testing"

	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/docker"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// TestDaemonStream has a daemon send a tar that ends early, lies about a size, or has a link or a second file in the place of a
// layer. None of them becomes another image than the one that was saved.
func TestDaemonStream(t *testing.T) {
	t.Parallel()
	base, top := fixture.LayerOf(t, 100_000, 1), fixture.LayerOf(t, 10, 2)
	saved := fixture.LegacySave(t, base, top).Bytes()
	pull := func(t *testing.T, data []byte) (transfer.Result, error) {
		t.Helper()
		temp := t.TempDir()
		a, err := docker.OpenDaemon(t.Context(), (&engine{saved: data}).start(t), "app:1", docker.ArchiveOptions{TempDir: temp})
		if err != nil {
			return transfer.Result{}, err
		}
		defer a.Close()
		return transfer.Copy(t.Context(), a, layout.New(filepath.Join(t.TempDir(), "dst")), transfer.Options{Reference: "app:1", Tags: []string{"x"}})
	}
	good, err := pull(t, saved)
	fixture.Check(t, err)

	last := 0 // where the last member ends
	r := bytes.NewReader(saved)
	tarred := tar.NewReader(r)
	var layer string // the largest member
	var largest int64
	for {
		h, err := tarred.Next()
		if err == io.EOF {
			break
		}
		fixture.Check(t, err)
		if h.Size > largest {
			largest, layer = h.Size, h.Name
		}
		_, err = io.Copy(io.Discard, tarred)
		fixture.Check(t, err)
		last = len(saved) - r.Len()
	}
	for _, cut := range []int{1, 511, 512, 513, last / 3, last / 2, last - 600, last - 1} {
		if got, err := pull(t, saved[:cut]); err == nil {
			t.Errorf("cut at %d of %d: %s", cut, last, got.Digest)
		}
	}
	rewrite := func(change func(w *tar.Writer, h *tar.Header, data []byte)) []byte {
		var out bytes.Buffer
		w := tar.NewWriter(&out)
		r := tar.NewReader(bytes.NewReader(saved))
		for {
			h, err := r.Next()
			if err == io.EOF {
				break
			}
			fixture.Check(t, err)
			data, err := io.ReadAll(r)
			fixture.Check(t, err)
			if h.Name == layer {
				change(w, h, data)
				continue
			}
			fixture.Check(t, w.WriteHeader(h))
			_, err = w.Write(data)
			fixture.Check(t, err)
		}
		fixture.Check(t, w.Close())
		return out.Bytes()
	}
	link := func(kind byte, to string) []byte {
		return rewrite(func(w *tar.Writer, h *tar.Header, _ []byte) {
			fixture.Check(t, w.WriteHeader(&tar.Header{Name: h.Name, Typeflag: kind, Linkname: to, Mode: 0o777}))
		})
	}
	put := func(w *tar.Writer, name string, data []byte) {
		fixture.Check(t, w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(data))}))
		_, err := w.Write(data)
		fixture.Check(t, err)
	}
	other := bytes.Repeat([]byte("x"), int(largest))
	for name, data := range map[string][]byte{
		"symbolic link to a file of the machine": link(tar.TypeSymlink, "/etc/hostname"),
		"symbolic link that climbs":              link(tar.TypeSymlink, "../../../../etc/hostname"),
		"hard link to a file of the machine":     link(tar.TypeLink, "/etc/hostname"),
		"symbolic link to itself":                link(tar.TypeSymlink, filepath.Base(layer)),
		"pipe":                                   link(tar.TypeFifo, ""),
		"device":                                 link(tar.TypeChar, ""),
		"second file, other bytes":               rewrite(func(w *tar.Writer, h *tar.Header, d []byte) { put(w, h.Name, d); put(w, h.Name, other) }),
		"second file, before":                    rewrite(func(w *tar.Writer, h *tar.Header, d []byte) { put(w, h.Name, other); put(w, h.Name, d) }),
		"second file, other spelling":            rewrite(func(w *tar.Writer, h *tar.Header, d []byte) { put(w, h.Name, d); put(w, "./"+h.Name, other) }),
		"other bytes":                            rewrite(func(w *tar.Writer, h *tar.Header, _ []byte) { put(w, h.Name, other) }),
		"shorter":                                rewrite(func(w *tar.Writer, h *tar.Header, d []byte) { put(w, h.Name, d[:len(d)-512]) }),
	} {
		got, err := pull(t, data)
		t.Logf("%s: %v", name, err)
		if err == nil && got.Digest != good.Digest {
			t.Errorf("%s: became %s", name, got.Digest)
		}
	}
}
