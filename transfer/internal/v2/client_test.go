package v2

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
)

// TestUploadLocation has the registry send the upload to other places.
func TestUploadLocation(t *testing.T) {
	tests := map[string]bool{
		"/v2/app/blobs/uploads/1?state=a%2Bb":                          true,
		"https://registry.test/v2/app/blobs/uploads/1?state=a%2Bb":     true,
		"https://REGISTRY.test:443/v2/app/blobs/uploads/1?state=a%2Bb": true,
		"http://registry.test/v2/app/blobs/uploads/1?state=a%2Bb":      true, // as behind a proxy; it goes by https
		"https://other.test/v2/app/blobs/uploads/1?secret=canary":      false,
		"//other.test/v2/app/blobs/uploads/1?secret=canary":            false,
		"https://registry.test:444/v2/app/blobs/uploads/1":             false,
		"https://a:b@registry.test/v2/app/blobs/uploads/1":             false,
		"":                          false,
		"https://registry.test/%zz": false,
	}
	c := NewClient("https", "registry.test", nil)
	request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "https://registry.test/v2/app/blobs/uploads/", nil)
	fixture.Check(t, err)
	for location, ok := range tests {
		u, err := c.location(&http.Response{Header: http.Header{"Location": {location}}, Request: request})
		switch {
		case ok && (err != nil || u.Scheme != "https" || !strings.HasSuffix(u.String(), "/v2/app/blobs/uploads/1?state=a%2Bb") || u.Host != "registry.test"):
			t.Errorf("%s: %v, %v", location, u, err)
		case !ok && (!errors.Is(err, content.ErrProtocol) || strings.Contains(err.Error(), "canary")):
			t.Errorf("%s: %v, %v", location, u, err)
		}
	}
}
