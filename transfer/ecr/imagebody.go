package ecr

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// escapedSize is how many bytes of a manifest are escaped at once.
const escapedSize = 8 << 10

// imageBody is the body of PutImage (https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImage.html), made
// of the manifest while it is sent: the generated client has the manifest in memory three times more.
type imageBody struct {
	before, manifest []byte // manifest is valid UTF-8
	length           int64

	offset  int64  // of what was read
	at      int    // in the manifest
	ended   bool   // after is in pending, or was read
	pending []byte // made, and not read
	buffer  []byte
}

// imageAfter ends the body.
const imageAfter = `"}`

// newImageBody returns the body with a manifest and further members.
func newImageBody(manifest []byte, members map[string]string) (*imageBody, error) {
	head, err := json.Marshal(members)
	if err != nil {
		return nil, err
	}
	b := &imageBody{before: append(head[:len(head)-1], `,"imageManifest":"`...), manifest: manifest, buffer: make([]byte, 0, 6*escapedSize)}
	b.length = int64(len(b.before) + len(imageAfter))
	for at := 0; at < len(manifest); at += escapedSize {
		b.length += int64(len(appendEscaped(b.buffer[:0], manifest[at:min(at+escapedSize, len(manifest))])))
	}
	b.pending = b.before
	return b, nil
}

// appendEscaped appends a part of a string in JSON. What it need not escape stays, so that a character may be in two parts.
func appendEscaped(to, text []byte) []byte {
	for _, c := range text {
		switch {
		case c == '"' || c == '\\':
			to = append(to, '\\', c)
		case c < ' ':
			to = fmt.Appendf(to, `\u%04x`, c)
		default:
			to = append(to, c)
		}
	}
	return to
}

// Len returns how many bytes are yet to be read.
func (b *imageBody) Len() int { return int(b.length - b.offset) }

// SHA256 returns the hash of the body in hexadecimal, and begins it again.
func (b *imageBody) SHA256() (string, error) {
	b.begin()
	hash := sha256.New()
	if _, err := io.Copy(hash, b); err != nil {
		return "", err
	}
	b.begin()
	return hex.EncodeToString(hash.Sum(nil)), nil
}

func (b *imageBody) begin() { b.offset, b.at, b.ended, b.pending = 0, 0, false, b.before }

// Read reads the body.
func (b *imageBody) Read(p []byte) (int, error) {
	for len(b.pending) == 0 {
		switch {
		case b.at < len(b.manifest):
			end := min(b.at+escapedSize, len(b.manifest))
			b.pending, b.at = appendEscaped(b.buffer[:0], b.manifest[b.at:end]), end
		case !b.ended:
			b.pending, b.ended = []byte(imageAfter), true
		default:
			return 0, io.EOF
		}
	}
	n := copy(p, b.pending)
	b.pending, b.offset = b.pending[n:], b.offset+int64(n)
	return n, nil
}

// Seek moves to the beginning, where each try begins, or reports where the body is or ends.
func (b *imageBody) Seek(offset int64, whence int) (int64, error) {
	switch {
	case offset == 0 && whence == io.SeekStart:
		b.begin()
		return 0, nil
	case offset == 0 && whence == io.SeekCurrent:
		return b.offset, nil
	case offset == 0 && whence == io.SeekEnd: // to measure it
		return b.length, nil
	}
	return 0, errors.New("the body of an image can only be read from its beginning")
}
