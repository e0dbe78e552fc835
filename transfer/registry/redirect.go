package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/ecrkit/ecrkit/transfer/content"
	v2 "github.com/ecrkit/ecrkit/transfer/internal/v2"
)

// openBlob asks for a blob and follows redirects; byteRange is "" or a header
// Range. at is where it was found, nil if that is the registry itself.
func (r *Repository) openBlob(ctx context.Context, c *v2.Client, d content.Descriptor, byteRange string) (response *http.Response, at *url.URL, err error) {
	u := c.URL(r.repository+"/blobs/"+string(d.Digest), nil)
	for range 5 {
		if at == nil {
			response, err = c.Do(blobRequest(ctx, u, byteRange), append(v2.Redirects, http.StatusOK, http.StatusPartialContent)...)
		} else {
			response, err = r.elsewhere(blobRequest(ctx, u, byteRange), v2.Redirects...)
		}
		if err != nil || !v2.IsRedirect(response) {
			return response, at, err
		}
		v2.Drop(response)
		next, err := response.Request.URL.Parse(response.Header.Get("Location"))
		if err != nil || response.Header.Get("Location") == "" {
			return nil, nil, fmt.Errorf("%s: %w: a redirect to nowhere", v2.WithoutQuery(u), content.ErrProtocol)
		}
		if next.Scheme != "https" && !(next.Scheme == "http" && c.Base.Scheme == "http" && isLoopback(next.Host)) {
			return nil, nil, fmt.Errorf("%s: %w: a redirect to %s://%s, which is not https", v2.WithoutQuery(u), content.ErrProtocol, next.Scheme, next.Host)
		}
		// What is outside of the API gets no credentials, as from docker: the URL may be one, and a store refuses two.
		if u = next; at != nil || !strings.EqualFold(v2.WithPort(u), v2.WithPort(c.Base)) || !strings.HasPrefix(u.Path, "/v2/") {
			at = u
		}
	}
	return nil, nil, fmt.Errorf("%s: %w: too many redirects", v2.WithoutQuery(u), content.ErrProtocol)
}

func blobRequest(ctx context.Context, u *url.URL, byteRange string) *http.Request {
	request := (&http.Request{Method: http.MethodGet, URL: u, Host: u.Host, Header: http.Header{}}).WithContext(ctx)
	// Otherwise Go asks for gzip by itself and unpacks what comes back.
	request.Header.Set("Accept-Encoding", "identity")
	if byteRange != "" {
		request.Header.Set("Range", byteRange)
	}
	return request
}

// elsewhere sends a request to where a blob is, without credentials: the URL
// may be one, and no error repeats its query.
func (r *Repository) elsewhere(request *http.Request, also ...int) (*http.Response, error) {
	c := v2.Client{HTTP: r.plain}
	response, err := c.Do(request, append(also, http.StatusOK, http.StatusPartialContent)...)
	var refused *v2.Error
	if errors.As(err, &refused) {
		refused.Elsewhere = true
	}
	return response, err
}
