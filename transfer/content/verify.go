package content

import (
	"context"
	_ "crypto/sha256" // a digest of an algorithm that is not linked is not a valid one, and cannot be computed
	_ "crypto/sha512"
	"fmt"
	"io"

	"github.com/opencontainers/go-digest"
)

// ReadLimited reads at most limit bytes; more is an error.
func ReadLimited(r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%w: longer than %d bytes", ErrIntegrity, limit)
	}
	return data, err
}

// CheckManifest returns m with the media type that it has. The error wraps
// [ErrIntegrity] if it is not what its descriptor says.
func CheckManifest(m Manifest) (Manifest, error) {
	err := CheckDescriptor(m.Descriptor)
	if err == nil {
		err = VerifyManifest(m, m.Descriptor)
	}
	if err != nil {
		return Manifest{}, err
	}
	c, err := DecodeManifest(m.Content, m.Descriptor.MediaType)
	if err != nil {
		return Manifest{}, fmt.Errorf("manifest %s: %w", m.Descriptor.Digest, err)
	}
	m.Descriptor.MediaType = c.MediaType
	return m, nil
}

// CheckDescriptor refuses descriptors that cannot be copied safely.
func CheckDescriptor(d Descriptor) error {
	if err := d.Digest.Validate(); err != nil {
		return fmt.Errorf("%w: digest %q: %w", ErrIntegrity, d.Digest, err)
	}
	if d.Digest.Algorithm() != digest.SHA256 {
		return fmt.Errorf("%w: digest %s is not a sha256 digest, the only kind that Amazon ECR takes", ErrUnsupported, d.Digest)
	}
	// A pebibyte is far above any layer and far below where sums overflow.
	if d.Size < 0 || d.Size > 1<<50 {
		return fmt.Errorf("%w: size %d of %s", ErrIntegrity, d.Size, d.Digest)
	}
	return nil
}

// VerifyManifest checks that m is what d names.
func VerifyManifest(m Manifest, d Descriptor) error {
	if got := digest.FromBytes(m.Content); got != d.Digest {
		return fmt.Errorf("%w: manifest %s has the digest %s", ErrIntegrity, d.Digest, got)
	}
	if got := int64(len(m.Content)); got != d.Size {
		return &SizeError{Object: "manifest " + string(d.Digest), Digest: d.Digest, Has: got, Says: d.Size}
	}
	return nil
}

// VerifyingReader is a reader that turns the end of its content into an error unless
// digest and size are those of the descriptor. It ends with its context.
type VerifyingReader struct {
	ctx  context.Context
	r    io.Reader
	d    Descriptor
	hash digest.Verifier
	n    int64 // bytes read
}

// NewVerifyingReader checks r against d, whose digest must be valid.
func NewVerifyingReader(ctx context.Context, r io.Reader, d Descriptor) *VerifyingReader {
	return &VerifyingReader{ctx: ctx, r: r, d: d, hash: d.Digest.Verifier()}
}

func (v *VerifyingReader) Read(p []byte) (int, error) {
	if err := v.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := v.r.Read(p)
	v.n += int64(n)
	if v.n > v.d.Size {
		return 0, fmt.Errorf("%w: blob %s is longer than the %d bytes of its descriptor", ErrIntegrity, v.d.Digest, v.d.Size)
	}
	v.hash.Write(p[:n])
	if err == nil {
		return n, nil
	}
	if err != io.EOF {
		// Also keeps io.ErrUnexpectedEOF, a broken connection, from being
		// taken for the end by io.ReadFull's callers.
		return n, fmt.Errorf("after %d of %d bytes: %w", v.n, v.d.Size, err)
	}
	if v.n < v.d.Size {
		return n, fmt.Errorf("%w: blob %s ended after %d of %d bytes", ErrIntegrity, v.d.Digest, v.n, v.d.Size)
	}
	if !v.hash.Verified() {
		return n, fmt.Errorf("%w: the bytes of blob %s have another digest", ErrIntegrity, v.d.Digest)
	}
	return n, io.EOF
}
