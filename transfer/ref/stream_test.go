package ref

import (
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/docker"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

func TestOpenStream(t *testing.T) {
	dir, image, _ := fixture.Layout(t, 1)
	for name, tt := range map[string]struct {
		content   []byte
		reference string
		want      string
	}{
		"layout": {fixture.TarOf(t, dir, ""), "image", "oci-archive:-"},
		"docker": {fixture.LegacySave(t, fixture.LayerOf(t, 10, 1), fixture.LayerOf(t, 10, 2)).Bytes(), "2", "docker-archive:-"},
	} {
		s, err := OpenStream(t.Context(), bytes.NewReader(tt.content), KindArchive, docker.ArchiveOptions{})
		fixture.Check(t, err)
		result := mustCopy(t, s, layout.New(filepath.Join(t.TempDir(), "d")), transfer.Options{Reference: tt.reference})
		if s.String() != tt.want || name == "layout" && result.Digest != fixture.DigestOf(t, image) {
			t.Errorf("%s: %s %+v", name, s, result)
		}
		fixture.Check(t, s.Close())
	}
	if _, err := OpenStream(t.Context(), strings.NewReader("text"), KindArchive, docker.ArchiveOptions{}); !errors.Is(err, content.ErrIntegrity) {
		t.Errorf("text: %v", err)
	}
	broken := errors.New("input/output error")
	for _, prefix := range []string{"", "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"} {
		_, err := OpenStream(t.Context(), io.MultiReader(strings.NewReader(prefix), iotest.ErrReader(broken)), KindArchive, docker.ArchiveOptions{})
		if !errors.Is(err, broken) || errors.Is(err, content.ErrIntegrity) || errors.Is(err, content.ErrUnsupported) {
			t.Errorf("a broken pipe: %v", err)
		}
	}
	if _, err := OpenStream(t.Context(), strings.NewReader(""), KindArchive, docker.ArchiveOptions{}); !errors.Is(err, ErrNothingRead) {
		t.Errorf("nothing: %v", err)
	}
}
