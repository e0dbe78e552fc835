package localecr

import (
	"strings"
	"testing"
)

func FuzzReadUpstreams(f *testing.F) {
	f.Add("quay.io: http://127.0.0.1:5000")
	f.Add("upstreams: {quay.io: {url: 'http://user:pw@127.0.0.1:5000'}}")
	f.Add("a: &a [*a]")
	f.Fuzz(func(_ *testing.T, text string) { _, _ = ReadUpstreams(strings.NewReader(text)) })
}
