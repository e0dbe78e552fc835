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
	client *http.Client
}

// Blob gives the layer as the source has it, else from the URLs of its descriptor:
// https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md#properties.
func (s foreignSource) Blob(ctx context.Context, d Descriptor) (io.ReadCloser, error) {
	content, err := s.Source.Blob(ctx, d)
	if !errors.Is(err, ErrNotFound) {
		return content, err
	}
	for _, place := range d.URLs {
		content, failed := s.get(ctx, place)
		if failed == nil {
			return content, nil
		}
		err = errors.Join(err, fmt.Errorf("foreign layer %s: %w", d.Digest, failed))
	}
	return nil, err
}

func (s foreignSource) get(ctx context.Context, place string) (io.ReadCloser, error) {
	u, err := url.Parse(place)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
		return nil, errors.New("its URL is not a plain https URL")
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, place, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept-Encoding", "identity")
	client := *s.client
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
