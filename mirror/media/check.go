package media

import (
	"bytes"
	"fmt"

	"github.com/opencontainers/go-digest"
)

// pieceSize is how much is read at once, in bytes.
const pieceSize = 1 << 20

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
