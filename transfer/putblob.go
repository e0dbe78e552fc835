package transfer

import (
	"context"
	"io"

	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/parts"
)

// PutBlob stores the blob d, which is what r has, in dst. If opts.JournalDir has the upload of a process that was killed,
// dst is sent only what it lacks; the bytes before are read. Of opts nothing else counts.
func PutBlob(ctx context.Context, dst content.Target, d content.Descriptor, r io.Reader, opts Options) error {
	uploader, ok := dst.(content.BlobUploader)
	if !ok || opts.JournalDir == "" || d.Size <= content.DefaultPartSize { // which goes in one piece
		return dst.PutBlob(ctx, d, r)
	}
	data, err := parts.FromReader(r, d.Size)
	if err != nil {
		return err
	}
	how := parts.Single()
	how.Note = func() (content.UploadNote, error) {
		entry, err := opts.uploadJournal().Open(uploadKey(dst, d))
		if entry == nil {
			return nil, err
		}
		return entry, nil
	}
	return uploader.UploadBlob(ctx, d, data, how)
}
