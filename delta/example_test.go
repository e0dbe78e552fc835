package delta_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/delta"
)

// A layer that was changed a little is rebuilt from the old one, with the same digest.
func Example() {
	ctx := context.Background()
	compress := func(text string) []byte {
		var out bytes.Buffer
		z := gzip.NewWriter(&out)
		if _, err := io.WriteString(z, text); err != nil {
			log.Fatal(err)
		}
		if err := z.Close(); err != nil {
			log.Fatal(err)
		}
		return out.Bytes()
	}
	layer := func(p []byte) delta.Layer {
		return delta.Layer{Digest: digest.FromBytes(p), Size: int64(len(p)), Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(p)), nil }}
	}
	var text strings.Builder
	for i := range 20000 {
		fmt.Fprintf(&text, "line %d\n", i*i)
	}
	before, after := compress(text.String()), compress(text.String()+"one more line\n")

	w := delta.NewWorkspace(os.TempDir())
	base, err := w.Plaintext(ctx, layer(before))
	if err != nil {
		log.Fatal(err)
	}
	defer base.Close()
	d, err := w.Make(ctx, layer(after), []*delta.Plaintext{base})
	if err != nil {
		log.Fatal(err)
	}
	defer d.Close()

	stored, err := io.ReadAll(d.File) // to be applied elsewhere
	if err != nil {
		log.Fatal(err)
	}

	var rebuilt bytes.Buffer
	if err := w.Apply(ctx, bytes.NewReader(stored), int64(len(stored)), []*delta.Plaintext{base}, &rebuilt); err != nil {
		log.Fatal(err)
	}
	fmt.Println(d.EncoderName(), bytes.Equal(rebuilt.Bytes(), after), d.Size < int64(len(after))/20)
	// Output: go-6 true true
}
