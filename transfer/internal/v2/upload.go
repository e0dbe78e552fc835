package v2

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/calls/retry"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/parts"
)

// Begin begins an upload. If the registry can take the blob from the repository
// from ("" means none), it says so instead, and mounted is true.
func (c *Client) Begin(ctx context.Context, repository string, d digest.Digest, from string) (upload *url.URL, mounted bool, err error) {
	query := url.Values{}
	if from != "" {
		query.Set("mount", string(d))
		query.Set("from", from)
	}
	statuses := []int{http.StatusAccepted}
	if from != "" {
		statuses = append(statuses, http.StatusCreated)
	}
	err = Retry(ctx, func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL(repository+"/blobs/uploads/", query).String(), nil)
		if err != nil {
			return err
		}
		response, err := c.Do(request, statuses...)
		if err != nil {
			return err
		}
		defer Drop(response)
		if mounted = response.StatusCode == http.StatusCreated; mounted {
			return CheckDigestHeader(response.Header, d)
		}
		upload, err = c.location(response)
		return err
	})
	return upload, mounted, err
}

// Cancel ends an upload that nothing was sent to. A registry that cannot do that forgets it later.
func (c *Client) Cancel(ctx context.Context, upload *url.URL) {
	request, err := http.NewRequestWithContext(ctx, http.MethodDelete, upload.String(), nil)
	if err != nil {
		return
	}
	if response, err := c.Do(request, http.StatusNoContent, http.StatusOK, http.StatusAccepted); err == nil {
		Drop(response)
	}
}

// A request that has begun must not wait for memory that other blobs have: a registry may take one of them after the other. So
// a blob gets as much as two parts, or as much as four if nobody waits, before the request is sent. In bytes.
const (
	leastMemory = 2 * content.DefaultPartSize
	mostMemory  = (bodyParts + 2) * content.DefaultPartSize
)

// put sends a whole blob with one request.
func (c *Client) put(ctx context.Context, upload *url.URL, d content.Descriptor, data content.PartReader, how content.Upload, put Put) error {
	sending, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if shared, ok := data.(parts.Reserver); ok {
		own, release, err := shared.Reserve(ctx, min(d.Size, leastMemory), min(d.Size, mostMemory))
		if err != nil {
			return err
		}
		defer release()
		data = own
	}
	body := newLayerBody(ctx, d, data, how.Sent, put)
	body.slow = func() { cancel(ErrSlow) }
	if err := body.Begin(); err != nil {
		body.Close()
		return &content.SourceError{Err: err}
	}
	u := *upload
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += "digest=" + url.QueryEscape(string(d.Digest))
	request, err := http.NewRequestWithContext(sending, http.MethodPut, u.String(), body)
	if err != nil {
		body.Close()
		return err
	}
	if request.ContentLength = d.Size; d.Size == 0 {
		request.Body = http.NoBody
		body.Close()
	}
	request.Header.Set("Content-Type", "application/octet-stream")
	response, err := c.Do(request, http.StatusCreated)
	if err == nil {
		Drop(response)
		err = CheckDigestHeader(response.Header, d.Digest)
	}
	if err != nil && context.Cause(sending) == ErrSlow {
		err = retry.As(retry.Final, ErrSlow)
	}
	cancel(nil)
	// Who sends the body must be done with it before the content is read again.
	read, cause := body.result()
	if err != nil {
		how.Sent(-read)
	}
	if err != nil && cause != nil && (!errors.Is(cause, context.Canceled) || ctx.Err() != nil) {
		return &content.SourceError{Err: cause}
	}
	return err
}

// CheckDigestHeader compares what a registry says that it has with what it was
// sent. A registry may say nothing.
func CheckDigestHeader(h http.Header, want digest.Digest) error {
	if got := h.Get("Docker-Content-Digest"); got != "" && got != string(want) {
		return fmt.Errorf("%w: %s was stored as %.100q", content.ErrIntegrity, want, got)
	}
	return nil
}

// Put is how a blob is put. The zero value is for any registry.
type Put struct {
	// Checked is set if the registry is known to compare digests: that of a large
	// blob in a file is left to it.
	Checked bool
	// Pace is how fast the blob has to go; nil is no matter how.
	Pace *Pace
}

// Pace ends a PUT with [ErrSlow] if fewer than Bytes are taken of its body in the
// first Time.
type Pace struct {
	Bytes int64
	Time  time.Duration
	// Known is called when that is known.
	Known func(fast bool)
}

// ErrSlow reports that a blob did not go at its [Pace].
var ErrSlow = fmt.Errorf("one connection is slow: %w", context.Canceled)

// watch looks at how much was taken, once it is time, and calls slow if it is too
// little.
func (p *Pace) watch(taken func() int64, slow func()) {
	time.AfterFunc(p.Time, func() {
		fast := taken() >= p.Bytes
		if p.Known(fast); !fast {
			slow()
		}
	})
}

// PutBlob uploads a blob with one POST and one PUT; after a failure both again. If
// upload is not nil, the POST was sent.
func (c *Client) PutBlob(ctx context.Context, repository string, d content.Descriptor, data content.PartReader, how content.Upload, upload *url.URL, put Put) error {
	return Retry(ctx, func(ctx context.Context) (err error) {
		if err := how.Slots.Acquire(ctx, 1); err != nil {
			return err
		}
		defer how.Slots.Release(1)
		if upload == nil {
			if upload, _, err = c.Begin(ctx, repository, d.Digest, ""); err != nil {
				return err
			}
		}
		err = c.put(ctx, upload, d, data, how, put)
		upload = nil
		var refused *Error
		switch {
		case !errors.As(err, &refused):
		case refused.maybeExists():
			if has, headErr := c.HasBlob(ctx, repository, d); headErr == nil && has {
				return nil // another push was faster
			}
		case refused.Unauthorized():
			return retry.As(retry.Renewed, err) // a token that has expired is not used again
		}
		return err
	})
}
