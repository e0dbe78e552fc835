// Package v2 is a client of the OCI distribution API: requests, uploads, mounts, lists and the meaning of refusals.
package v2

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/calls"
	"github.com/ecrkit/ecrkit/internal/calls/retry"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// Client speaks the distribution API with one registry:
// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md.
type Client struct {
	Base *url.URL // scheme and host
	HTTP *http.Client
}

// NewClient returns a client that sends requests through transport, which adds
// the credentials. Redirects are not followed: they are answers.
func NewClient(scheme, host string, transport http.RoundTripper) *Client {
	return &Client{
		Base: &url.URL{Scheme: scheme, Host: host},
		HTTP: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		}},
	}
}

// URL is the address of what path names below /v2/.
func (c *Client) URL(path string, query url.Values) *url.URL {
	u := *c.Base
	u.Path, u.RawQuery = "/v2/"+path, query.Encode()
	return &u
}

// Do sends a request and returns an answer of one of the statuses; any other is a
// [*v2Error]. No error repeats the query of the URL.
func (c *Client) Do(r *http.Request, statuses ...int) (*http.Response, error) {
	r.Header.Set("User-Agent", "ecrkit")
	place := r.Method + " " + WithoutQuery(r.URL)
	response, err := c.HTTP.Do(r)
	if err != nil {
		var transport *url.Error
		if errors.As(err, &transport) {
			err = transport.Err
		}
		return nil, fmt.Errorf("%s: %w", place, err)
	}
	for _, status := range statuses {
		if response.StatusCode == status {
			return response, nil
		}
	}
	return nil, newError(place, response)
}

func WithoutQuery(u *url.URL) string {
	return u.Scheme + "://" + u.Host + u.EscapedPath()
}

// Drop ends the use of an answer; a short rest is read, so that the connection can
// be used again.
func Drop(r *http.Response) {
	_, _ = io.CopyN(io.Discard, r.Body, 64<<10) // the answer is not needed
	r.Body.Close()
}

// location is where the registry says that an upload continues.
func (c *Client) location(r *http.Response) (*url.URL, error) {
	text := r.Header.Get("Location")
	if text == "" {
		return nil, fmt.Errorf("%s: %w: the answer has no Location", WithoutQuery(r.Request.URL), content.ErrProtocol)
	}
	return c.local(r.Request.URL, text)
}

// local is the address that the registry returns in an answer. It must be with the
// registry itself, which gets the credentials.
func (c *Client) local(from *url.URL, address string) (*url.URL, error) {
	u, err := from.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: it leads to no URL", WithoutQuery(from), content.ErrProtocol)
	}
	// A registry behind a proxy that ends TLS may write its own name with http.
	same := strings.EqualFold(WithPort(u), WithPort(c.Base)) || u.Scheme == "http" && strings.EqualFold(u.Host, c.Base.Host)
	if !same || u.User != nil {
		return nil, fmt.Errorf("%s: %w: it leads to another host, %s", WithoutQuery(from), content.ErrProtocol, u.Host)
	}
	u.Scheme, u.Host, u.Fragment = c.Base.Scheme, c.Base.Host, ""
	return u, nil
}

// WithPort is the host of a URL with its port.
func WithPort(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Host
	case u.Scheme == "http":
		return u.Host + ":80"
	}
	return u.Host + ":443"
}

// HasBlob asks for a blob.
func (c *Client) HasBlob(ctx context.Context, repository string, d content.Descriptor) (has bool, err error) {
	err = Retry(ctx, func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodHead, c.URL(repository+"/blobs/"+string(d.Digest), nil).String(), nil)
		if err != nil {
			return err
		}
		response, err := c.Do(request, http.StatusOK, http.StatusTemporaryRedirect, http.StatusPermanentRedirect, http.StatusFound, http.StatusNotFound)
		if err != nil {
			return err
		}
		response.Body.Close()
		has = response.StatusCode != http.StatusNotFound
		return nil
	})
	return has, err
}

// Head returns the digest that a reference names, "" if the registry does not say it;
// the error wraps [content.ErrNotFound] if it names nothing.
func (c *Client) Head(ctx context.Context, repository, reference string) (d digest.Digest, err error) {
	err = Retry(ctx, func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodHead, c.URL(repository+"/manifests/"+reference, nil).String(), nil)
		if err != nil {
			return err
		}
		request.Header.Set("Accept", strings.Join(content.ManifestMediaTypes(), ", "))
		response, err := c.Do(request, http.StatusOK)
		if err != nil {
			return err
		}
		response.Body.Close()
		d = digest.Digest(response.Header.Get("Docker-Content-Digest"))
		return nil
	})
	if err == nil && d.Validate() != nil {
		d = ""
	}
	return d, err
}

// Answer is a whole answer.
type Answer struct {
	url    *url.URL // that was asked for
	Header http.Header
	Body   []byte
}

// Get gets an answer of at most limit bytes.
func (c *Client) Get(ctx context.Context, path string, query url.Values, header http.Header, limit int64) (Answer, error) {
	return c.getURL(ctx, c.URL(path, query), header, limit)
}

func (c *Client) getURL(ctx context.Context, u *url.URL, header http.Header, limit int64) (a Answer, err error) {
	a.url = u
	ctx = calls.Document(ctx)
	err = Retry(ctx, func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
		if err != nil {
			return err
		}
		if header != nil {
			request.Header = header.Clone()
		}
		response, err := c.Do(request, http.StatusOK)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		a.Header = response.Header
		a.Body, err = content.ReadLimited(response.Body, limit)
		return err
	})
	return a, err
}

// Send sends a request with a short body and wants one of the statuses.
func (c *Client) Send(ctx context.Context, method, path string, header http.Header, body []byte, statuses ...int) (h http.Header, err error) {
	err = Retry(ctx, func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, method, c.URL(path, nil).String(), bytes.NewReader(body))
		if err != nil {
			return err
		}
		if header != nil {
			request.Header = header.Clone()
		}
		response, err := c.Do(request, statuses...)
		if err != nil {
			return err
		}
		Drop(response)
		h = response.Header
		return nil
	})
	return h, err
}

// Delete deletes what path names. That it is missing is success if an answer was lost before.
func (c *Client) Delete(ctx context.Context, path string) error {
	mayHaveRun := false
	return Retry(ctx, func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodDelete, c.URL(path, nil).String(), nil)
		if err != nil {
			return err
		}
		response, err := c.Do(request, http.StatusAccepted, http.StatusOK, http.StatusNoContent)
		switch {
		case err == nil:
			Drop(response)
		case mayHaveRun && errors.Is(err, content.ErrNotFound):
			return nil
		default:
			v, _ := retry.Judge(ctx, err)
			mayHaveRun = mayHaveRun || v == retry.Transient
		}
		return err
	})
}
