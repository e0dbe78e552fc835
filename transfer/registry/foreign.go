package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/ecrkit/ecrkit/transfer/content"
	v2 "github.com/ecrkit/ecrkit/transfer/internal/v2"
)

// ForeignLayers reads non-distributable layers from the https URLs of their
// descriptors:
// https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md#properties.
type ForeignLayers struct {
	// Client sends the requests. It must add no credentials.
	Client *http.Client
}

var _ content.BlobReader = ForeignLayers{}

// Blob opens the layer at the first of its URLs that serves it.
func (s ForeignLayers) Blob(ctx context.Context, d content.Descriptor) (io.ReadCloser, error) {
	if len(d.URLs) == 0 {
		return nil, fmt.Errorf("foreign layer %s: %w: its descriptor names no URL", d.Digest, content.ErrNotFound)
	}
	var err error
	for _, place := range d.URLs {
		content, failed := s.get(ctx, place)
		if failed == nil {
			return content, nil
		}
		err = errors.Join(err, fmt.Errorf("foreign layer %s: %w", d.Digest, failed))
	}
	return nil, err
}

func (s ForeignLayers) get(ctx context.Context, place string) (io.ReadCloser, error) {
	u, err := url.Parse(place)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
		return nil, errors.New("its URL is not a plain https URL")
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, place, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept-Encoding", "identity")
	client := *s.Client
	client.CheckRedirect = func(next *http.Request, via []*http.Request) error {
		if next.URL.Scheme != "https" || len(via) >= 10 {
			return errors.New("its URL leads away from https, or nowhere")
		}
		return nil
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, v2.Refused(response)
	}
	return response.Body, nil
}
