package deflate

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"testing"
)

// golden has the tokens that each model predicts for one plaintext, as a digest. A model whose tokens change
// breaks every delta that was made with it: a change needs another name.
var golden = map[string]string{
	"go-1":            "43c4f0ce579f6b05",
	"go-2":            "7dbea5cc9df0a462",
	"go-3":            "3e7033030e637df0",
	"go-4":            "b17dd65a08e2bff2",
	"go-5":            "0914bfdf101a957c",
	"go-6":            "b8d9be6dc1469069",
	"go-7":            "439c5c4a2781f018",
	"go-8":            "c823048cb4f66c9f",
	"go-9":            "11860a08acc887e3",
	"klauspost-5":     "231af49cb05e5c6c",
	"klauspost-5-old": "9c80608560ef8eaa",
	"zlib-1":          "32d9290c7bc7d519",
	"zlib-2":          "4da9ee596099de7f",
	"zlib-3":          "8fed4fc575389ba9",
	"zlib-4":          "5329b3fa82503f76",
	"zlib-5":          "fec99d6f3e47bf6d",
	"zlib-6":          "348ff80847551617",
	"zlib-7":          "cc67db9163af1530",
	"zlib-8":          "e64e17a36aee3aa0",
	"zlib-9":          "9e6bb9d53e0effc2",
}

// TestGolden pins the models.
func TestGolden(t *testing.T) {
	t.Parallel()
	data := append(text(50<<10), noise(20<<10)...)
	data = append(data, text(20<<10)...)
	for _, name := range Models() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWindow()
			w.buf = append(w.buf, data...)
			m := Encoder{Model: name}.model(w)
			hash := sha256.New()
			for _, segment := range []struct{ first, start, end int64 }{{0, 0, 40 << 10}, {40<<10 - 16<<10, 40 << 10, int64(len(data))}} {
				m.reset(segment.first, segment.start, segment.end)
				for pos := segment.start; pos < segment.end; {
					token := m.predict(pos)
					m.accept(pos, token)
					hash.Write(binary.LittleEndian.AppendUint32(nil, uint32(token)))
					pos += int64(token.length())
				}
			}
			if got := fmt.Sprintf("%x", hash.Sum(nil)[:8]); got != golden[name] {
				t.Errorf("%q: %q,", name, got)
			}
		})
	}
}
