package transfer

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
)

// v2Client speaks the distribution API with one registry:
// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md.
type v2Client struct {
	base *url.URL // scheme and host
	http *http.Client
}

// newV2Client gives a client that sends requests through transport, which adds
// the credentials. Redirects are not followed: they are answers.
func newV2Client(scheme, host string, transport http.RoundTripper) *v2Client {
	return &v2Client{
		base: &url.URL{Scheme: scheme, Host: host},
		http: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		}},
	}
}

// url is the address of what path names below /v2/.
func (c *v2Client) url(path string, query url.Values) *url.URL {
	u := *c.base
	u.Path, u.RawQuery = "/v2/"+path, query.Encode()
	return &u
}

// do sends a request and gives an answer of one of the statuses; any other is a
// [*v2Error]. No error repeats the query of the URL.
func (c *v2Client) do(r *http.Request, statuses ...int) (*http.Response, error) {
	r.Header.Set("User-Agent", "ecrkit")
	place := r.Method + " " + withoutQuery(r.URL)
	response, err := c.http.Do(r)
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
	return nil, newV2Error(place, response)
}

func withoutQuery(u *url.URL) string {
	return u.Scheme + "://" + u.Host + u.EscapedPath()
}

// drop ends the use of an answer; a short rest is read, so that the connection can
// be used again.
func drop(r *http.Response) {
	_, _ = io.CopyN(io.Discard, r.Body, 64<<10) // the answer is not needed
	r.Body.Close()
}

// location is where the registry says that an upload goes on.
func (c *v2Client) location(r *http.Response) (*url.URL, error) {
	text := r.Header.Get("Location")
	if text == "" {
		return nil, fmt.Errorf("%s: %w: the answer has no Location", withoutQuery(r.Request.URL), errProtocol)
	}
	return c.local(r.Request.URL, text)
}

// local is the address that the registry gives in an answer. It must be with the
// registry itself, which gets the credentials.
func (c *v2Client) local(from *url.URL, address string) (*url.URL, error) {
	u, err := from.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: it leads to no URL", withoutQuery(from), errProtocol)
	}
	// A registry behind a proxy that ends TLS may write its own name with http.
	same := strings.EqualFold(withPort(u), withPort(c.base)) || u.Scheme == "http" && strings.EqualFold(u.Host, c.base.Host)
	if !same || u.User != nil {
		return nil, fmt.Errorf("%s: %w: it leads to another host, %s", withoutQuery(from), errProtocol, u.Host)
	}
	u.Scheme, u.Host, u.Fragment = c.base.Scheme, c.base.Host, ""
	return u, nil
}

// withPort is the host of a URL with its port.
func withPort(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Host
	case u.Scheme == "http":
		return u.Host + ":80"
	}
	return u.Host + ":443"
}

// errProtocol says that a registry does not keep to the distribution API.
var errProtocol = errors.New("not an answer of a registry")

// hasBlob asks for a blob.
func (c *v2Client) hasBlob(ctx context.Context, repository string, d Descriptor) (has bool, err error) {
	err = retryV2(ctx, func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodHead, c.url(repository+"/blobs/"+string(d.Digest), nil).String(), nil)
		if err != nil {
			return err
		}
		response, err := c.do(request, http.StatusOK, http.StatusTemporaryRedirect, http.StatusPermanentRedirect, http.StatusFound, http.StatusNotFound)
		if err != nil {
			return err
		}
		response.Body.Close()
		has = response.StatusCode != http.StatusNotFound
		return nil
	})
	return has, err
}

// head gives the digest that a reference names, "" if the registry does not say it;
// the error wraps [ErrNotFound] if it names nothing.
func (c *v2Client) head(ctx context.Context, repository, reference string) (d digest.Digest, err error) {
	err = retryV2(ctx, func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodHead, c.url(repository+"/manifests/"+reference, nil).String(), nil)
		if err != nil {
			return err
		}
		request.Header.Set("Accept", strings.Join(manifestMediaTypes(), ", "))
		response, err := c.do(request, http.StatusOK)
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

// answer is a whole answer.
type answer struct {
	url    *url.URL // that was asked for
	header http.Header
	body   []byte
}

// get gets an answer of at most limit bytes.
func (c *v2Client) get(ctx context.Context, path string, query url.Values, header http.Header, limit int64) (answer, error) {
	return c.getURL(ctx, c.url(path, query), header, limit)
}

func (c *v2Client) getURL(ctx context.Context, u *url.URL, header http.Header, limit int64) (a answer, err error) {
	a.url = u
	err = retryV2(ctx, func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
		if err != nil {
			return err
		}
		if header != nil {
			request.Header = header.Clone()
		}
		response, err := c.do(request, http.StatusOK)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		a.header = response.Header
		a.body, err = readAll(response.Body, limit)
		return err
	})
	return a, err
}

// send sends a request with a short body and wants one of the statuses.
func (c *v2Client) send(ctx context.Context, method, path string, header http.Header, body []byte, statuses ...int) (h http.Header, err error) {
	err = retryV2(ctx, func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, method, c.url(path, nil).String(), bytes.NewReader(body))
		if err != nil {
			return err
		}
		if header != nil {
			request.Header = header.Clone()
		}
		response, err := c.do(request, statuses...)
		if err != nil {
			return err
		}
		drop(response)
		h = response.Header
		return nil
	})
	return h, err
}
