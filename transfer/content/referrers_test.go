package content

import (
	"strings"
	"testing"
)

func FuzzDecodeReferrers(f *testing.F) {
	f.Add([]byte(`{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:` + strings.Repeat("0", 64) + `","size":3}]}`))
	f.Add([]byte(`{"manifests":[{}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := DecodeReferrers(data)
		for _, d := range list {
			if err == nil && CheckDescriptor(d) != nil {
				t.Errorf("%v", d)
			}
		}
	})
}
