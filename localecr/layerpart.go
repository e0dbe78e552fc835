package localecr

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/service/ecr"
)

// maxPartRequest bounds the body of UploadLayerPart in bytes: the largest part in base64, and its
// other members. A part that is a little too large is read whole, so that its error is ECR's own.
const maxPartRequest = 21<<20/3*4 + 64<<10

// uploadLayerPart reads a part without ever having it in memory: the signature's hash and the
// part's bytes are computed as the body arrives. Several parts of one layer may arrive at once; the
// registry takes them in their order.
func (x *exchange) uploadLayerPart() (any, error) {
	claim, err := x.claim("ecr")
	if err != nil {
		return nil, err
	}
	part, err := x.server.store.NewPart()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err := part.Discard(); err != nil {
			x.internal(err)
		}
	}()
	hashed := &hashingReader{r: http.MaxBytesReader(x.w, x.r.Body, maxPartRequest), h: sha256.New()}
	members, decodeErr := readLayerPart(hashed, part)
	// The signature is over the whole body, whatever is wrong with it.
	if _, err := io.Copy(io.Discard, hashed); err != nil {
		return nil, commonError(codeSerialization, "the request's body could not be read: %v", err)
	}
	if err := claim.prove(hex.EncodeToString(hashed.h.Sum(nil))); err != nil {
		return nil, err
	}
	if decodeErr != nil {
		return nil, commonError(codeSerialization, "the request does not have the shape of UploadLayerPart: %v", decodeErr)
	}
	if !x.server.buckets.take(x.principal.Account, x.region, x.call.Op) {
		return nil, throttled()
	}
	in := new(ecr.UploadLayerPartInput)
	if err := x.decodeECR(members, in); err != nil {
		return nil, err
	}
	if in.PartFirstByte != nil && in.PartLastByte != nil {
		x.call.Range = fmt.Sprintf("%d-%d", *in.PartFirstByte, *in.PartLastByte)
	}
	return x.registry().UploadLayerPart(x.r.Context(), in, part)
}

// hashingReader hashes what is read through it.
type hashingReader struct {
	r io.Reader
	h hash.Hash
}

func (r *hashingReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	r.h.Write(p[:n])
	return n, err
}

var errNotObject = errors.New("not a JSON object")

// readLayerPart reads the JSON object of an UploadLayerPart request. It decodes the member
// layerPartBlob into blob as it comes, and returns the object with all others.
func readLayerPart(r io.Reader, blob io.Writer) ([]byte, error) {
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
		if key == `"layerPartBlob"` && c == '"' {
			if err := s.base64(); err != nil {
				return err
			}
			if c, err = s.next(); err != nil {
				return err
			}
		} else {
			if len(s.members) > 1 {
				s.members = append(s.members, ',')
			}
			s.members = append(append(s.members, key...), ':')
			if c, err = s.value(c); err != nil {
				return err
			}
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
