package ecr

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// TestManifestsTogether has a registry answer manifests that are larger than those of any image, to each way to read many. It is
// asked for no more of them once they are too many.
func TestManifestsTogether(t *testing.T) {
	t.Parallel()
	const each, size = 100, 6 << 10 // in an answer; of a manifest
	text := strings.Repeat("x", size)
	var tags []string
	var descriptors []content.Descriptor
	for i := range 5 * each {
		tags = append(tags, fmt.Sprintf("t%04d", i))
		descriptors = append(descriptors, content.Descriptor{Digest: digest.FromString(tags[i]), Size: 9, MediaType: content.MediaTypeDockerManifest})
	}
	for name, read := range map[string]func(*Repository) error{
		"ResolveAll": func(e *Repository) error { _, err := e.ResolveAll(t.Context(), tags); return err },
		"FindTags":   func(e *Repository) error { _, err := e.FindTags(t.Context(), tags); return err },
		"Manifests":  func(e *Repository) error { _, err := e.Manifests(t.Context(), descriptors); return err },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, localecr.Options{})
			large := &largeImages{next: http.DefaultTransport, text: text}
			w.Config.HTTPClient = &http.Client{Transport: large}
			e := w.repository("app")
			e.most = 1 << 20
			if err := read(e); !errors.Is(err, content.ErrUnsupported) || !strings.Contains(err.Error(), "app") {
				t.Errorf("got %v", err)
			}
			if large.calls != 2 {
				t.Errorf("%d calls", large.calls)
			}
		})
	}
}

// largeImages answers BatchGetImage itself, with the same manifest for each image.
type largeImages struct {
	next  http.RoundTripper
	text  string
	calls int
}

func (l *largeImages) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".BatchGetImage") {
		return l.next.RoundTrip(r)
	}
	l.calls++
	type imageID struct {
		Digest string `json:"imageDigest,omitempty"`
		Tag    string `json:"imageTag,omitempty"`
	}
	type image struct {
		ID       imageID `json:"imageId"`
		Manifest string  `json:"imageManifest"`
	}
	var asked struct{ ImageIDs []imageID }
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		return nil, err
	}
	var answer struct {
		Images []image `json:"images"`
	}
	for _, id := range asked.ImageIDs {
		id.Digest = cmp.Or(id.Digest, string(digest.FromString(id.Tag)))
		answer.Images = append(answer.Images, image{id, l.text})
	}
	data, err := json.Marshal(answer)
	return &http.Response{StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}}, Body: io.NopCloser(bytes.NewReader(data)), ContentLength: int64(len(data))}, err
}
