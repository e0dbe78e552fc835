package docker

import (
	"bytes"
	"testing"
)

func FuzzLoadAnswer(f *testing.F) {
	f.Add([]byte("{\"stream\":\"x\"}\r\n{\"error\":\"y\"}"))
	f.Fuzz(func(t *testing.T, data []byte) { _ = loadError(bytes.NewReader(data)) })
}
