// Package layerpart reads the request of UploadLayerPart as it comes: the part of a layer, up to 20 MiB in base64, is never
// in memory as a whole.
package layerpart

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

var errNotObject = errors.New("not a JSON object")

// Read reads the JSON object of an UploadLayerPart request. It decodes the member
// layerPartBlob into blob as it comes, and returns the object with "" in its place.
func Read(r io.Reader, blob io.Writer) ([]byte, error) {
	s := &partScanner{r: bufio.NewReaderSize(r, 64<<10), blob: blob}
	if err := s.object(); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return s.members, nil
}

// maxMembers bounds the members of the request beside the blob, in bytes.
const maxMembers = 32 << 10

type partScanner struct {
	r       *bufio.Reader
	blob    io.Writer
	members []byte // the object without the blob
}

func (s *partScanner) object() error {
	if c, err := s.next(); err != nil || c != '{' {
		return errors.Join(errNotObject, err)
	}
	s.members = append(s.members, '{')
	for first := true; ; first = false {
		c, err := s.next()
		switch {
		case err != nil:
			return err
		case c == '}' && first:
			s.members = append(s.members, '}')
			return nil
		case c != '"':
			return errNotObject
		}
		key, err := s.rawString()
		if err != nil {
			return err
		}
		if c, err := s.next(); err != nil || c != ':' {
			return errors.Join(errNotObject, err)
		}
		c, err = s.next()
		if err != nil {
			return err
		}
		if len(s.members) > 1 {
			s.members = append(s.members, ',')
		}
		s.members = append(append(s.members, key...), ':')
		if key == `"layerPartBlob"` && c == '"' {
			if err := s.base64(); err != nil {
				return err
			}
			s.members = append(s.members, `""`...)
			if c, err = s.next(); err != nil {
				return err
			}
		} else if c, err = s.value(c); err != nil {
			return err
		}
		switch c {
		case ',':
		case '}':
			s.members = append(s.members, '}')
			return nil
		default:
			return errNotObject
		}
	}
}

// next returns the next byte that is not white space.
func (s *partScanner) next() (byte, error) {
	for {
		c, err := s.r.ReadByte()
		if err != nil || c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			return c, err
		}
	}
}

// rawString returns a string whose opening quote was read, with its quotes and escapes.
func (s *partScanner) rawString() (string, error) {
	out := []byte{'"'}
	for {
		c, err := s.r.ReadByte()
		if err != nil {
			return "", err
		}
		out = append(out, c)
		switch {
		case len(out) > maxMembers:
			return "", errMembersTooLong
		case c == '"':
			return string(out), nil
		case c == '\\':
			c, err := s.r.ReadByte()
			if err != nil {
				return "", err
			}
			out = append(out, c)
		}
	}
}

var errMembersTooLong = fmt.Errorf("the members beside layerPartBlob have more than %d bytes", maxMembers)

// value copies a value that begins with c to the members, and returns the byte behind it, which is
// that of the object around it. What the value is worth is for the decoder of the members to say.
func (s *partScanner) value(c byte) (byte, error) {
	depth := 0
	for {
		if len(s.members) > maxMembers {
			return 0, errMembersTooLong
		}
		switch c {
		case '"':
			str, err := s.rawString()
			if err != nil {
				return 0, err
			}
			s.members = append(s.members, str...)
		case '{', '[':
			depth++
			s.members = append(s.members, c)
		case '}', ']':
			if depth == 0 {
				return c, nil
			}
			depth--
			s.members = append(s.members, c)
		case ',':
			if depth == 0 {
				return c, nil
			}
			s.members = append(s.members, c)
		default:
			s.members = append(s.members, c)
		}
		var err error
		if c, err = s.next(); err != nil {
			return 0, err
		}
	}
}
