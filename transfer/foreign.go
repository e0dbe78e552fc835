package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// foreignSource is a [Source] of a layer that need not be in its registry.
type foreignSource struct {
	Source
	elsewhere BlobReader
}

// Blob opens the layer as the source has it, else where foreign layers are read.
func (s foreignSource) Blob(ctx context.Context, d Descriptor) (io.ReadCloser, error) {
	content, err := s.Source.Blob(ctx, d)
	if !errors.Is(err, ErrNotFound) {
		return content, err
	}
	content, failed := s.elsewhere.Blob(ctx, d)
	if failed != nil {
		return nil, errors.Join(err, failed)
	}
	return content, nil
}

// ForeignLayers reads non-distributable layers from the https URLs of their
// descriptors:
// https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md#properties.
type ForeignLayers struct {
	// Client sends the requests. It must add no credentials.
	Client *http.Client
}

var _ BlobReader = ForeignLayers{}

// Blob opens the layer at the first of its URLs that serves it.
func (s ForeignLayers) Blob(ctx context.Context, d Descriptor) (io.ReadCloser, error) {
	if len(d.URLs) == 0 {
		return nil, fmt.Errorf("foreign layer %s: %w: its descriptor names no URL", d.Digest, ErrNotFound)
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
		return nil, refused(response)
	}
	return response.Body, nil
}
