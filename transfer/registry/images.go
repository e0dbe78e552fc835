package registry

import (
	"context"
	"fmt"
	"net/http"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
	v2 "github.com/ecrkit/ecrkit/transfer/internal/v2"
)

var _ content.BlobStatter = (*Repository)(nil)

// StatBlob asks with one HEAD, and more if the registry sends to where the blob is.
func (r *Repository) StatBlob(ctx context.Context, d digest.Digest) (content.Descriptor, error) {
	if err := content.CheckDescriptor(content.Descriptor{Digest: d}); err != nil {
		return content.Descriptor{}, fmt.Errorf("%s: %w", r, err)
	}
	c, err := r.client(ctx, actionsPull, "")
	if err != nil {
		return content.Descriptor{}, err
	}
	var size int64
	err = v2.Retry(ctx, func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodHead, c.URL(r.repository+"/blobs/"+string(d), nil).String(), nil)
		if err != nil {
			return err
		}
		response, err := c.Do(request, append(v2.Redirects, http.StatusOK)...)
		if err != nil {
			return err
		}
		v2.Drop(response)
		if v2.IsRedirect(response) {
			// Where the blob is, often only GET is allowed: its first byte tells the size.
			response, _, err = r.openBlob(ctx, c, content.Descriptor{Digest: d}, "bytes=0-0")
			if err != nil {
				return err
			}
			response.Body.Close()
		}
		size, err = blobSize(response)
		return err
	})
	if err != nil {
		return content.Descriptor{}, r.fail("blob "+string(d), err)
	}
	found := content.Descriptor{Digest: d, Size: size}
	return found, content.CheckDescriptor(found)
}

// blobSize is the size of the whole blob of which an answer is the header, or has
// a range.
func blobSize(response *http.Response) (int64, error) {
	size := response.ContentLength
	if response.StatusCode == http.StatusPartialContent {
		var first, last int64
		if n, err := fmt.Sscanf(response.Header.Get("Content-Range"), "bytes %d-%d/%d", &first, &last, &size); n != 3 || err != nil {
			size = -1
		}
	}
	if size < 0 {
		return 0, fmt.Errorf("%w: the size of the blob is not told", content.ErrProtocol)
	}
	return size, nil
}
