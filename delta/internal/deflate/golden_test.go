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
	"go-1":            "e80857fd034d4a48",
	"go-2":            "d57775030ecda927",
	"go-3":            "a15ec9cb73fe5dcf",
	"go-4":            "f4c705f5c638a4f2",
	"go-5":            "b4bb0b1d914612f7",
	"go-6":            "851c99b602316c27",
	"go-7":            "2eefe0a797942a8a",
	"go-8":            "d1fe9500fd48afcf",
	"go-9":            "aa500dfe4722ca4b",
	"klauspost-5":     "36039a7ef7246a60",
	"klauspost-5-old": "0431737bbca24b9a",
	"zlib-1":          "472b38088e86876a",
	"zlib-2":          "efb3d28a58f0f4d8",
	"zlib-3":          "cd4ac9ef8c39e639",
	"zlib-4":          "b56fcb3829d623b7",
	"zlib-5":          "2b17a6a29f086e07",
	"zlib-6":          "92b86d45a5c7cbdb",
	"zlib-7":          "4d11dd96481ebd04",
	"zlib-8":          "0391d3f4f22f7e80",
	"zlib-9":          "b5f820cc4b68438d",
}

// TestGolden pins the models.
func TestGolden(t *testing.T) {
	t.Parallel()
	data := append(text(120<<10), noise(66<<10)...)
	data = append(data, text(30<<10)...)
	for _, name := range Models() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWindow()
			w.buf = append(w.buf, data...)
			m := Encoder{Model: name}.model(w)
			hash := sha256.New()
			for _, segment := range []struct{ first, start, end int64 }{{0, 0, 90 << 10}, {90<<10 - 16<<10, 90 << 10, int64(len(data))}} {
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
