package ecr

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/ecrkit/ecrkit/internal/calls"
	"github.com/ecrkit/ecrkit/internal/calls/retry"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/ranges"
	v2 "github.com/ecrkit/ecrkit/transfer/internal/v2"
)

// Blob gets a pre-signed URL and opens it. After a failure it resumes at the last
// byte, if the size of d is known.
func (e *Repository) Blob(ctx context.Context, d content.Descriptor) (io.ReadCloser, error) {
	signed, err := e.downloadURL(ctx, d)
	if err != nil {
		return nil, err
	}
	if d.Size > 0 {
		layer := &layerRanges{repository: e, d: d, signed: signed}
		return ranges.NewReader(ctx, nil, layer.open, d.Size), nil
	}
	response, err := e.get(ctx, signed, "")
	if err == nil && response.StatusCode != http.StatusOK {
		err = v2.Refused(response)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: layer %s: %w", e, d.Digest, err)
	}
	return response.Body, nil
}

// downloadURL gets the pre-signed URL of a layer.
func (e *Repository) downloadURL(ctx context.Context, d content.Descriptor) (string, error) {
	object := "layer " + string(d.Digest)
	out, err := e.api.GetDownloadUrlForLayer(ctx, &ecr.GetDownloadUrlForLayerInput{
		RegistryId:     &e.registry.Account,
		RepositoryName: &e.repository,
		LayerDigest:    aws.String(string(d.Digest)),
	})
	var (
		unknown *types.LayersNotFoundException
		unnamed *types.LayerInaccessibleException
	)
	switch {
	case errors.As(err, &unknown):
		return "", fmt.Errorf("%s: %s: %w", e, object, content.ErrNotFound)
	case errors.As(err, &unnamed):
		return "", fmt.Errorf("%s: %s: %w: no image there names it", e, object, content.ErrNotFound)
	}
	if err != nil {
		return "", e.fail(object, err)
	}
	return aws.ToString(out.DownloadUrl), nil
}

// get sends a GET to a pre-signed URL, for a byte range unless that is "". Its
// query is a credential: no error repeats it.
func (e *Repository) get(ctx context.Context, signed, byteRange string) (*http.Response, error) {
	u, err := url.Parse(signed)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
		return nil, errors.New("the download URL that Amazon ECR gave is not an http(s) URL")
	}
	place := u.Scheme + "://" + u.Host + u.Path
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, signed, nil)
	if err != nil {
		return nil, fmt.Errorf("GET %s: not a valid request", place)
	}
	// Otherwise Go asks for gzip by itself and unpacks what comes back.
	request.Header.Set("Accept-Encoding", "identity")
	if byteRange != "" {
		request.Header.Set("Range", byteRange)
	}
	c := e.caller().NewCall(opGetLayer)
	c.Repeats = retry.IsRepeated(ctx)
	response, err := c.Send(ctx, func(sending context.Context) (*http.Response, error) {
		defer ranges.Sending(ctx)()
		return e.Layers.Do(request.WithContext(sending))
	})
	if err != nil {
		var transport *url.Error
		if errors.As(err, &transport) {
			err = transport.Err
		}
		return nil, fmt.Errorf("GET %s: %w", place, err)
	}
	return response, nil
}

// Ranges reads a layer by one pre-signed URL, which is renewed when it has expired.
func (e *Repository) Ranges(ctx context.Context, d content.Descriptor) (content.RangeOpener, error) {
	signed, err := e.downloadURL(ctx, d)
	if err != nil {
		return nil, err
	}
	return (&layerRanges{repository: e, d: d, signed: signed}).open, nil
}

// layerRanges are the ranges of one layer.
type layerRanges struct {
	repository *Repository
	d          content.Descriptor

	mu     sync.Mutex
	signed string // the URL
}

func (l *layerRanges) open(ctx context.Context, first, n int64) (io.ReadCloser, error) {
	signed, err := l.url(ctx, "")
	if err != nil {
		return nil, err
	}
	response, err := l.get(ctx, signed, first, n)
	if err == nil && expired(response) {
		response.Body.Close()
		if signed, err = l.url(ctx, signed); err != nil {
			return nil, err
		}
		response, err = l.get(ctx, signed, first, n)
	}
	if err != nil {
		err = fmt.Errorf("%s: layer %s: %w", l.repository, l.d.Digest, err)
		if context.Cause(ctx) == ranges.ErrStalled {
			return nil, err
		}
		return nil, content.Permanent(err) // it was sent as often as it may be
	}
	if err := l.check(response, first, n); err != nil {
		response.Body.Close()
		return nil, fmt.Errorf("%s: layer %s: %w", l.repository, l.d.Digest, err)
	}
	return response.Body, nil
}

func (l *layerRanges) get(ctx context.Context, signed string, first, n int64) (*http.Response, error) {
	return l.repository.get(ctx, signed, fmt.Sprintf("bytes=%d-%d", first, first+n-1))
}

// check refuses an answer that is not that range of the layer.
func (l *layerRanges) check(r *http.Response, first, n int64) error {
	switch r.StatusCode {
	case http.StatusPartialContent:
		want := fmt.Sprintf("bytes %d-%d/%d", first, first+n-1, l.d.Size)
		if got := r.Header.Get("Content-Range"); got != want {
			return content.Permanent(fmt.Errorf("%w: asked for %q, got %q", content.ErrIntegrity, want, got))
		}
		return nil
	case http.StatusOK:
		if first == 0 && n == l.d.Size {
			return nil
		}
		return content.Permanent(content.ErrNoRanges)
	}
	if expired(r) {
		return retry.As(retry.Transient, v2.Refused(r)) // the next try renews the URL
	}
	return content.Permanent(v2.Refused(r))
}

// expired reports whether an answer refuses the URL, and another one may be accepted.
func expired(r *http.Response) bool {
	return r.StatusCode >= http.StatusBadRequest && calls.IsURLExpired(r.StatusCode, calls.ErrorCode(r))
}

// url returns the URL; if it is still the expired one, a new one.
func (l *layerRanges) url(ctx context.Context, expired string) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.signed == expired {
		signed, err := l.repository.downloadURL(ctx, l.d)
		if err != nil {
			return "", content.Permanent(err)
		}
		l.signed = signed
	}
	return l.signed, nil
}
