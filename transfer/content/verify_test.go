package content

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
)

func TestVerifierEnds(t *testing.T) {
	content := "some content"
	d := Descriptor{Digest: digest.FromString(content), Size: int64(len(content))}
	broken := io.MultiReader(strings.NewReader("some"), errorReader{io.ErrUnexpectedEOF})
	_, err := io.ReadFull(NewVerifyingReader(t.Context(), broken, d), make([]byte, 100))
	if err == io.ErrUnexpectedEOF || !errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, ErrIntegrity) {
		t.Errorf("broken connection: %v", err)
	}
	_, err = io.ReadAll(NewVerifyingReader(t.Context(), strings.NewReader(content), d))
	check(t, err)
	for _, other := range []string{"", "some", "some contenT", "some content and more"} {
		if _, err = io.ReadAll(NewVerifyingReader(t.Context(), strings.NewReader(other), d)); !errors.Is(err, ErrIntegrity) {
			t.Errorf("%q: %v", other, err)
		}
	}
}

type errorReader struct{ err error }

func (r errorReader) Read([]byte) (int, error) { return 0, r.err }
