package imagetree

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// oneBlob is a source with one blob.
type oneBlob []byte

func (b oneBlob) Blob(context.Context, content.Descriptor) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(b)), nil
}

// FuzzConfigPlatform reads the platform of any config.
func FuzzConfigPlatform(f *testing.F) {
	for _, seed := range []string{
		`{"architecture":"arm","os":"linux","variant":"v7"}`, `{"os":"windows","architecture":"amd64","os.version":"10.0.17763.1","os.features":["win32k"]}`,
		`{}`, `null`, `[]`, `{"os":1}`, `{"os":"linux","os":"windows"}`, ``,
	} {
		f.Add([]byte(seed), int64(0))
	}
	f.Fuzz(func(t *testing.T, config []byte, more int64) {
		d := content.Descriptor{MediaType: "application/vnd.oci.image.config.v1+json", Digest: digest.FromBytes(config), Size: int64(len(config))}
		if more != 0 {
			d.Size += more
		}
		p, err := configPlatform(t.Context(), oneBlob(config), d)
		switch {
		case err != nil && !errors.Is(err, content.ErrIntegrity):
			t.Errorf("an error of no kind: %v", err)
		case err == nil && more != 0:
			t.Error("accepted with another size")
		case p != nil && (err != nil || p.OS == "" && p.Architecture == ""):
			t.Errorf("%+v, %v", p, err)
		}
	})
}
