package layerpart

import (
	"bytes"
	"errors"

	"github.com/segmentio/asm/base64" // ten times as fast as encoding/base64, which cost more than SHA-256
)

var errNotBase64 = errors.New("layerPartBlob is not base64")

// base64 decodes the rest of a JSON string, up to and with its closing quote, into the blob. It is
// the hottest loop of the server: it works on what the reader has buffered, without another copy.
func (s *partScanner) base64() error {
	out := make([]byte, s.r.Size())
	var rest []byte // up to three characters of a group that is not whole yet
	padded := false // nothing may follow a padded group
	decode := func(chunk []byte) error {
		if len(chunk) == 0 {
			return nil
		}
		if padded {
			return errNotBase64
		}
		n, err := base64.StdEncoding.Decode(out, chunk)
		if err != nil || bytes.IndexByte(chunk, '\n') >= 0 || bytes.IndexByte(chunk, '\r') >= 0 {
			return errNotBase64
		}
		padded = chunk[len(chunk)-1] == '='
		_, err = s.blob.Write(out[:n])
		return err
	}
	for {
		if s.r.Buffered() == 0 {
			if _, err := s.r.Peek(1); err != nil {
				return err
			}
		}
		chunk, _ := s.r.Peek(s.r.Buffered()) // what is buffered can be had
		plain := chunk
		if i := bytes.IndexByte(plain, '"'); i >= 0 {
			plain = plain[:i]
		}
		if i := bytes.IndexByte(plain, '\\'); i >= 0 {
			plain = plain[:i]
		}
		taken := len(plain)
		for len(rest) > 0 && len(rest) < 4 && len(plain) > 0 {
			rest, plain = append(rest, plain[0]), plain[1:]
		}
		if len(rest) == 4 {
			if err := decode(rest); err != nil {
				return err
			}
			rest = rest[:0]
		}
		whole := len(plain) / 4 * 4
		if err := decode(plain[:whole]); err != nil {
			return err
		}
		rest = append(rest, plain[whole:]...)
		_, _ = s.r.Discard(taken) // it was peeked at
		if taken == len(chunk) {
			continue
		}
		c, err := s.r.ReadByte()
		if err != nil {
			return err
		}
		if c == '"' {
			if len(rest) > 0 {
				return errNotBase64
			}
			return nil
		}
		// The only escape that base64 needs, and some encoders write: \/
		if c, err = s.r.ReadByte(); err != nil {
			return err
		}
		if c != '/' {
			return errNotBase64
		}
		if rest = append(rest, c); len(rest) == 4 {
			if err := decode(rest); err != nil {
				return err
			}
			rest = rest[:0]
		}
	}
}
