package layerpart

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
)

func TestLayerPartIsRead(t *testing.T) {
	t.Parallel()
	data := bytes.Repeat([]byte{0, 1, 0xfe, 0xff, '/'}, 100_003)
	text := base64.StdEncoding.EncodeToString(data)
	escaped := strings.ReplaceAll(text, "/", `\/`)
	for body, want := range map[string]string{
		`{"layerPartBlob":"` + text + `","partFirstByte":0}`:              `{"layerPartBlob":"","partFirstByte":0}`,
		`{"partFirstByte":0,"layerPartBlob":"` + text + `"}`:              `{"partFirstByte":0,"layerPartBlob":""}`,
		` { "partFirstByte" : 0 , "layerPartBlob" : "` + escaped + `" } `: `{"partFirstByte":0,"layerPartBlob":""}`,
	} {
		var blob bytes.Buffer
		members, err := Read(strings.NewReader(body), &blob)
		if err != nil || string(members) != want || !bytes.Equal(blob.Bytes(), data) {
			t.Errorf("%.40s…: members %s, %d bytes, %v", body, members, blob.Len(), err)
		}
	}
}

func TestABlobThatIsNotBase64IsRefused(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("QUJD", 30_000)
	for _, at := range []int{0, 1, 31, 32, 1000, 65_535, 65_536, len(text) - 1} {
		for _, c := range []string{" ", "\n", "\r", "!", "=", "-", `\u0041`, "\x80"} {
			body := fmt.Sprintf(`{"layerPartBlob":"%s%s%s"}`, text[:at], c, text[at+1:])
			if _, err := Read(strings.NewReader(body), &bytes.Buffer{}); err == nil && (c != "=" || at != len(text)-1) {
				t.Errorf("%q at %d was taken", c, at)
			}
		}
	}
	for _, body := range []string{"", "{", "[]", `{"layerPartBlob":"QUJ"}`, `{"layerPartBlob":"QUI=QUJD"}`, `{"layerPartBlob":"QUJD"`, `{"layerPartBlob":"QUJD" "x":1}`, `{"x":"` + strings.Repeat("y", maxMembers) + `"}`} {
		if _, err := Read(strings.NewReader(body), &bytes.Buffer{}); err == nil {
			t.Errorf("%.60s was taken", body)
		}
	}
}
