package docker

import (
	"bufio"
	"context"
	"fmt"
	"io"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/compress"
	"github.com/ecrkit/ecrkit/transfer/internal/tempfile"
)

// hash finds the digest of a layer that is compressed already, and checks that its
// content is what the config says, as of one that is not.
func (a *Archive) hash(ctx context.Context, l *dockerLayer) error {
	if err := a.cores.Acquire(ctx, 1); err != nil {
		return err
	}
	defer a.cores.Release(1)
	packed, unpacked := digest.SHA256.Digester(), digest.SHA256.Digester()
	raw := io.TeeReader(compress.Reader(ctx, tempfile.NewSection(l.content)), packed.Hash())
	if err := unpack(unpacked.Hash(), raw, l.format); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("layer %s: %w", l.file, err)
	}
	if got := unpacked.Digest(); got != l.diffID {
		return fmt.Errorf("layer %s: %w", l.file, wrongContent(got, l.diffID))
	}
	l.digest, l.size = packed.Digest(), l.content.Size()
	return nil
}

// unpack writes the content of r to w, and reads r to its end.
func unpack(w io.Writer, r io.Reader, format compress.Format) error {
	buffered := bufio.NewReaderSize(r, 128<<10)
	plain, err := compress.NewReader(buffered, format)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", content.ErrIntegrity, format, err)
	}
	defer plain.Close()
	if _, err := io.Copy(w, plain); err != nil {
		return fmt.Errorf("%w: %s: %w", content.ErrIntegrity, format, err)
	}
	_, err = io.Copy(io.Discard, buffered)
	return err
}

// wrongContent is the error of a layer that is not the one of the config.
func wrongContent(got, want digest.Digest) error {
	return fmt.Errorf("%w: its content has the digest %s, the config of the image says %s", content.ErrIntegrity, got, want)
}
