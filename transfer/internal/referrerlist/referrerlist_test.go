package referrerlist

import (
	"errors"
	"strings"
	"testing"

	"github.com/ecrkit/ecrkit/transfer/content"
)

const entry = `{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:0000000000000000000000000000000000000000000000000000000000000000","size":3}`

func TestDecode(t *testing.T) {
	t.Parallel()
	list, err := Decode([]byte(`{"schemaVersion":2,"annotations":{"a":"b"},"manifests":[` + entry + `]}`))
	if err != nil || len(list.Manifests) != 1 || list.Manifests[0].Size != 3 || list.Annotations["a"] != "b" {
		t.Errorf("%+v %v", list, err)
	}
	for text, want := range map[string]error{
		``:                                      content.ErrProtocol,
		`[]`:                                    content.ErrProtocol,
		`{}`:                                    content.ErrProtocol,
		`{"schemaVersion":2}`:                   content.ErrProtocol,
		`{"schemaVersion":1,"manifests":[]}`:    content.ErrProtocol,
		`{"schemaVersion":2,"manifests":{}}`:    content.ErrProtocol,
		`{"schemaVersion":2,"manifests":["a"]}`: content.ErrProtocol,
		`{"schemaVersion":2,"manifests":[],"mediaType":"text/html"}`:                             content.ErrProtocol,
		`{"schemaVersion":2,"manifests":[{}]}`:                                                   content.ErrIntegrity,
		`{"schemaVersion":2,"manifests":[{"digest":"sha512:` + strings.Repeat("0", 128) + `"}]}`: content.ErrUnsupported,
		`{"schemaVersion":2,"manifests":[` + entry + strings.Repeat(`,{}`, 1000) + `]}`:          content.ErrIntegrity,
	} {
		if list, err := Decode([]byte(text)); !errors.Is(err, want) || list.Manifests != nil {
			t.Errorf("%.100s: %v %v, want %v", text, list, err, want)
		}
	}
	for _, text := range []string{`{"schemaVersion":2,"manifests":[]}`, `{"schemaVersion":2,"manifests":null}`} {
		if list, err := Decode([]byte(text)); err != nil || len(list.Manifests) != 0 {
			t.Errorf("%s: %v %v", text, list, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"schemaVersion":2,"manifests":[` + entry + `]}`))
	f.Add([]byte(`{"manifests":[{}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := Decode(data)
		for _, d := range list.Manifests {
			if err == nil && content.CheckDescriptor(d) != nil {
				t.Errorf("%v", d)
			}
		}
	})
}
