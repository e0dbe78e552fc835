package partial

import (
	"bytes"
	"testing"
)

func FuzzParseSpans(f *testing.F) {
	f.Add([]byte(SpansHeader + "\n0 100\n100 5\n"))
	f.Add([]byte(SpansHeader + "\n9223372036854775807 1\n"))
	f.Add([]byte(SpansHeader + "\n-1 1 \n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		spans, err := parseSpans(bytes.NewReader(data))
		if err != nil {
			return
		}
		for i, s := range spans {
			if s.First < 0 || s.Length <= 0 || s.End() < s.First || i > 0 && s.First < spans[i-1].First {
				t.Errorf("%v", spans)
			}
		}
	})
}
