package ecr

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// TestImageBody reads bodies of manifests with what JSON escapes, and with characters where two parts of them meet.
func TestImageBody(t *testing.T) {
	t.Parallel()
	for name, manifest := range map[string]string{
		"nothing":    "",
		"escapes":    "{\"a\":\"\\n\\\\\u00e9\"}\n\t\x00\x1f",
		"quotes":     strings.Repeat(`"`, 3*escapedSize+1),
		"control":    strings.Repeat("\x01", 2*escapedSize+7),
		"characters": "a" + strings.Repeat("\U0001F40B", escapedSize),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, err := newImageBody([]byte(manifest), map[string]string{"repositoryName": `r"`, "imageTag": "1"})
			if err != nil {
				t.Fatal(err)
			}
			hash, err := b.SHA256()
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // a request is sent again
				length := b.Len()
				var data bytes.Buffer
				if _, err := io.Copy(&data, iotest.OneByteReader(b)); err != nil {
					t.Fatal(err)
				}
				sum := sha256.Sum256(data.Bytes())
				if data.Len() != length || b.Len() != 0 || hex.EncodeToString(sum[:]) != hash {
					t.Errorf("%d bytes of %d, or another hash than %s", data.Len(), length, hash)
				}
				var got map[string]string
				if err := json.Unmarshal(data.Bytes(), &got); err != nil || len(got) != 3 || got["imageManifest"] != manifest || got["repositoryName"] != `r"` || got["imageTag"] != "1" {
					t.Errorf("%v: %.200s", err, data.Bytes())
				}
				if n, err := b.Seek(0, io.SeekStart); n != 0 || err != nil {
					t.Fatal(n, err)
				}
			}
			if _, err := b.Seek(1, io.SeekStart); err == nil {
				t.Error("the body is read from its middle")
			}
		})
	}
}
