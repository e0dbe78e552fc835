package parts

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"sync"

	"github.com/opencontainers/go-digest"
)

// pieceSize is how much is read at once, in bytes.
const pieceSize = 1 << 20

// Hash reads all parts once, from the first byte to the last, and returns their digests. see, if not
// nil, gets all bytes in their order; what it returns ends the reading.
func (ps Parts) Hash(ctx context.Context, see func(p []byte) error) ([]digest.Digest, error) {
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
