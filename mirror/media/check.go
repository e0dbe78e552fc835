package media

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"sync"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/mirror/internal/parts"
)

// pieceSize is how much is read at once, in bytes.
const pieceSize = 1 << 20

// hashParts reads all parts once, from the first byte to the last, and returns their digests. See, if not
// nil, gets all bytes in their order; what it returns ends the reading.
func hashParts(ctx context.Context, ps parts.Parts, see func(p []byte) error) ([]digest.Digest, error) {
	digests := make([]digest.Digest, len(ps))
	buffer := make([]byte, pieceSize)
	for i, part := range ps {
		h := sha256.New()
		in := io.NewSectionReader(part.File, 0, part.Size)
		for left := part.Size; left > 0; {
			if err := context.Cause(ctx); err != nil {
				return nil, err
			}
			n, err := io.ReadFull(in, buffer[:min(left, pieceSize)])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", part.File.Name(), err)
			}
			left -= int64(n)
			var hashed sync.WaitGroup
			hashed.Go(func() { h.Write(buffer[:n]) })
			if see != nil {
				err = see(buffer[:n])
			}
			hashed.Wait()
			if err != nil {
				return nil, err
			}
		}
		digests[i] = digest.NewDigest(digest.SHA256, h)
	}
	return digests, nil
}

// checker compares the bytes of a tar with its plan, as they come.
type checker struct {
	plan    *plan
	at      int64
	current int // in plan.members
	hash    digest.Verifier
	wrong   []digest.Digest // blobs that are not what they should be
}

// see takes the next bytes.
func (c *checker) see(p []byte) error {
	for len(p) > 0 && c.current < len(c.plan.members) {
		m := c.plan.members[c.current]
		var n int64
		switch {
		case c.at < m.first():
			n = min(int64(len(p)), m.first()-c.at)
			inside := c.at - m.at
			head, err := m.head()
			if err != nil {
				return err
			}
			if !bytes.Equal(p[:n], head[inside:inside+n]) {
				return fmt.Errorf("the header of %s was changed while it was written", m.name())
			}
		case c.at < m.first()+m.size:
			if c.hash == nil {
				c.hash = m.digest.Verifier()
			}
			n = min(int64(len(p)), m.first()+m.size-c.at)
			c.hash.Write(p[:n])
		default:
			n = min(int64(len(p)), m.end()-c.at)
		}
		c.at += n
		p = p[n:]
		if c.hash != nil && c.at >= m.first()+m.size {
			if !c.hash.Verified() {
				c.wrong = append(c.wrong, m.digest)
			}
			c.hash = nil
		}
		if c.at == m.end() {
			c.current++
		}
	}
	return nil
}
