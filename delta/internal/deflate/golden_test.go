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
	"go-1":            "f79eca91676ab552",
	"go-2":            "278cf4ebabc7db95",
	"go-3":            "583bd83f67ee3b55",
	"go-4":            "c45748d2651137ad",
	"go-5":            "8d207467ff1f9af7",
	"go-6":            "6ed29871d68d9e12",
	"go-7":            "e695ed9fec49cbe3",
	"go-8":            "b6bee22903664260",
	"go-9":            "c38f92d200f0e42b",
	"klauspost-5":     "28dd04131e1670aa",
	"klauspost-5-old": "827aa708bd417713",
	"zlib-1":          "26831958ddbefef9",
	"zlib-2":          "b2153e42c4a5ddb1",
	"zlib-3":          "2436a33693373572",
	"zlib-4":          "d62a7516736f07ca",
	"zlib-5":          "2a4c9e8b90ef772b",
	"zlib-6":          "df8ae1a74ef8d4fb",
	"zlib-7":          "89c3551934d8a36a",
	"zlib-8":          "f525aba0173ef770",
	"zlib-9":          "3197af840b85a30e",
}

// TestGolden pins the models.
func TestGolden(t *testing.T) {
	t.Parallel()
	data := append(text(300<<10), noise(70<<10)...)
	data = append(data, text(100<<10)...)
	for _, name := range Models() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWindow()
			w.buf = append(w.buf, data...)
			m := Encoder{Model: name}.model(w)
			hash := sha256.New()
			for _, segment := range []struct{ first, start, end int64 }{{0, 0, 200 << 10}, {200<<10 - 16<<10, 200 << 10, int64(len(data))}} {
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
