package layerpart

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
)

// FuzzLayerPart reads the same request as the streaming reader and as encoding/json, which must agree
// wherever both take it.
func FuzzLayerPart(f *testing.F) {
	for _, s := range []string{
		`{"layerPartBlob":"YmxvYg==","partFirstByte":1,"partLastByte":1,"repositoryName":"r","uploadId":"u"}`,
		`{"partFirstByte":0, "layerPartBlob" : "" , "x":{"y":["}",1]}}`, `{"layerPartBlob":"\/\/8="}`, `{}`, `{"a":"\"","layerPartBlob":"AAAA"}`, `[`, `{"layerPartBlob":"AA==AAAA"}`,
		`{"layerPartBlob":null}`, `{"layerPartBlob":"` + strings.Repeat("QUJD", 30000) + `"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var blob bytes.Buffer
		members, err := Read(bytes.NewReader(data), &blob)
		if err != nil {
			return
		}
		var whole, rest map[string]json.RawMessage
		if json.Unmarshal(data, &whole) != nil {
			return // the decoder of the members, or what is behind the object, says so
		}
		if err := json.Unmarshal(members, &rest); err != nil {
			t.Fatalf("members %s of %s: %v", members, data, err)
		}
		var text string
		if bytes.Count(data, []byte("layerPartBlob")) != 1 || json.Unmarshal(whole["layerPartBlob"], &text) != nil || string(whole["layerPartBlob"]) == "null" {
			return
		}
		want, err := base64.StdEncoding.DecodeString(text)
		if err != nil || !bytes.Equal(blob.Bytes(), want) {
			t.Fatalf("%q: blob %q, want %q (%v)", data, blob.Bytes(), want, err)
		}
		if string(rest["layerPartBlob"]) != `""` {
			t.Fatalf("%q: the members do not have the blob: %s", data, members)
		}
		delete(rest, "layerPartBlob")
		for key, value := range rest {
			if !bytes.Equal(bytes.Join(bytes.Fields(value), nil), bytes.Join(bytes.Fields(whole[key]), nil)) {
				t.Fatalf("%q: %s is %s, want %s", data, key, value, whole[key])
			}
		}
	})
}
