package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/ecrkit/ecrkit/internal/calls/retry"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/ranges"
	v2 "github.com/ecrkit/ecrkit/transfer/internal/v2"
)

// ForeignLayers reads non-distributable layers from the https URLs of their
// descriptors:
// https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md#properties.
type ForeignLayers struct{ client *http.Client }

var _ content.BlobReader = (*ForeignLayers)(nil)

// NewForeignLayers returns a reader of non-distributable layers. base sends the requests and
// must add no credentials; nil is [NewTransport]. A request whose connection stands still is
// ended and retried, as those to a registry are.
func NewForeignLayers(base http.RoundTripper) *ForeignLayers {
	return &ForeignLayers{client: &http.Client{
		Transport: watched(base),
		CheckRedirect: func(next *http.Request, via []*http.Request) error {
			if next.URL.Scheme != "https" || len(via) >= 10 {
				return retry.As(retry.Final, errors.New("its URL leads away from https, or nowhere"))
			}
			return nil
		},
	}}
}

// Blob opens the layer at the first of its URLs that serves it. If the connection breaks
// the reader resumes.
func (s *ForeignLayers) Blob(ctx context.Context, d content.Descriptor) (io.ReadCloser, error) {
	if len(d.URLs) == 0 {
		return nil, fmt.Errorf("foreign layer %s: %w: its descriptor names no URL", d.Digest, content.ErrNotFound)
	}
	open := func(ctx context.Context) (io.ReadCloser, error) { return s.open(ctx, d) }
	var body io.ReadCloser
	err := v2.Retry(ctx, func(ctx context.Context) (err error) {
		body, err = open(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	return ranges.NewReader(ctx, body, ranges.Whole(open), d.Size), nil
}

// open asks each of the URLs once.
func (s *ForeignLayers) open(ctx context.Context, d content.Descriptor) (io.ReadCloser, error) {
	var failures []error
	verdict := retry.Final
	for _, place := range d.URLs {
		body, err := s.get(ctx, place)
		if err == nil {
			return body, nil
		}
		if v, _ := retry.Judge(ctx, err); v != retry.Final {
			verdict = retry.Transient
		}
		failures = append(failures, fmt.Errorf("foreign layer %s: %w", d.Digest, err))
	}
	return nil, retry.As(verdict, errors.Join(failures...))
}

func (s *ForeignLayers) get(ctx context.Context, place string) (io.ReadCloser, error) {
	u, err := url.Parse(place)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
		return nil, retry.As(retry.Final, errors.New("its URL is not a plain https URL"))
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, place, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept-Encoding", "identity")
	response, err := s.client.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, v2.Refused(response)
	}
	return response.Body, nil
}
