package tarball

import (
	"archive/tar"
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/transfer/internal/compress"
)

// Member is a file to be written to a tar.
type Member struct {
	Name string
	Size int64
	Open func() (io.ReadCloser, error)
}

// JsonMember is a file of its own content.
func JsonMember(name string, content any) (Member, error) {
	data, err := json.Marshal(content)
	return BytesMember(name, data), err
}

func BytesMember(name string, data []byte) Member {
	return Member{Name: name, Size: int64(len(data)), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(string(data))), nil
	}}
}

// LayoutMember is the file that makes a tar an OCI image layout.
func LayoutMember() Member {
	return BytesMember(ocispec.ImageLayoutFile, fmt.Appendf(nil, `{"imageLayoutVersion":%q}`, ocispec.ImageLayoutVersion))
}

// Write writes the members in an order of their names, after those that tell
// what is in the tar, and with nothing that depends on the time, the machine or
// the user: the same members are the same bytes.
func Write(ctx context.Context, w io.Writer, members []Member) error {
	first := func(m Member) int {
		if i := slices.Index([]string{DockerManifestFile, ocispec.ImageIndexFile, ocispec.ImageLayoutFile}, m.Name); i >= 0 {
			return -i - 1
		}
		return 0
	}
	slices.SortFunc(members, func(a, b Member) int {
		return cmp.Or(cmp.Compare(first(a), first(b)), strings.Compare(a.Name, b.Name))
	})
	out := bufio.NewWriterSize(w, 256<<10)
	tw := tar.NewWriter(out)
	dirs := map[string]bool{".": true}
	for _, m := range members {
		if err := writeDirs(tw, path.Dir(m.Name), dirs); err != nil {
			return err
		}
		h := &tar.Header{Typeflag: tar.TypeReg, Name: m.Name, Size: m.Size, Mode: 0o644, ModTime: time.Unix(0, 0)}
		if err := tw.WriteHeader(h); err != nil {
			return err
		}
		if err := copyMember(ctx, tw, m); err != nil {
			return fmt.Errorf("%s: %w", m.Name, err)
		}
	}
	if err := tw.Close(); err != nil {
		return err
	}
	return out.Flush()
}

// writeDirs writes the directory dir and those above it.
func writeDirs(tw *tar.Writer, dir string, written map[string]bool) error {
	if written[dir] {
		return nil
	}
	if err := writeDirs(tw, path.Dir(dir), written); err != nil {
		return err
	}
	written[dir] = true
	return tw.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755, ModTime: time.Unix(0, 0)})
}

func copyMember(ctx context.Context, w io.Writer, m Member) error {
	r, err := m.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.CopyBuffer(struct{ io.Writer }{w}, compress.Reader(ctx, r), make([]byte, 128<<10))
	return err
}
