package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/ranges"
	v2 "github.com/ecrkit/ecrkit/transfer/internal/v2"
)

// requestsAtOnce is how many small requests go to a registry at once.
const requestsAtOnce = 16

// Resolve finds the image by tag or digest; "" is an error.
func (r *Repository) Resolve(ctx context.Context, reference string) (content.Manifest, error) {
	if reference == "" {
		return content.Manifest{}, fmt.Errorf("%s: name the image by a tag or digest", r)
	}
	c, err := r.client(ctx, actionsPull, "")
	if err != nil {
		return content.Manifest{}, err
	}
	m, err := r.manifest(ctx, c, reference, content.MaxManifestSize)
	if errors.Is(err, content.ErrNotFound) {
		return content.Manifest{}, &content.ImageNotFoundError{Place: r.String(), Image: reference, Err: err}
	}
	if err != nil {
		return content.Manifest{}, r.fail("image "+reference, err)
	}
	return m, nil
}

// Manifests gets the manifests, several at once.
func (r *Repository) Manifests(ctx context.Context, descriptors []content.Descriptor) ([]content.Manifest, error) {
	c, err := r.client(ctx, actionsPull, "")
	if err != nil {
		return nil, err
	}
	manifests := make([]content.Manifest, len(descriptors))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(requestsAtOnce)
	for i, d := range descriptors {
		group.Go(func() (err error) {
			if manifests[i], err = r.manifest(ctx, c, string(d.Digest), min(max(d.Size, smallManifest), content.MaxManifestSize)); err != nil {
				return r.fail("manifest "+string(d.Digest), err)
			}
			return nil
		})
	}
	return manifests, group.Wait()
}

// smallManifest is how many bytes of a manifest are read whatever its descriptor says, so that an
// error can name its size.
const smallManifest = 64 << 10

// manifest gets a manifest of at most limit bytes.
func (r *Repository) manifest(ctx context.Context, c *v2.Client, reference string, limit int64) (content.Manifest, error) {
	header := http.Header{"Accept": {strings.Join(content.ManifestMediaTypes(), ", ")}}
	a, err := c.Get(ctx, r.repository+"/manifests/"+reference, nil, header, limit)
	if err != nil {
		return content.Manifest{}, err
	}
	// A page of a proxy is not an image, and its digest not what a tag names.
	if body := bytes.TrimLeft(a.Body, " \t\r\n"); len(body) == 0 || body[0] != '{' {
		return content.Manifest{}, fmt.Errorf("%w: %d bytes of the type %.100q, and no manifest", content.ErrProtocol, len(a.Body), a.Header.Get("Content-Type"))
	}
	got := digest.FromBytes(a.Body)
	if said := a.Header.Get("Docker-Content-Digest"); said != "" {
		if d, err := digest.Parse(said); err != nil || digestOfAlgorithm(d.Algorithm(), a.Body) != d {
			return content.Manifest{}, fmt.Errorf("%w: the registry calls it %.100q, its bytes have the digest %s", content.ErrIntegrity, said, got)
		}
	}
	if asked, err := digest.Parse(reference); err == nil && asked != got {
		return content.Manifest{}, fmt.Errorf("%w: asked for %s, got %s", content.ErrIntegrity, asked, got)
	}
	// A general type says nothing; one that is not known is refused later.
	mediaType, _, err := mime.ParseMediaType(a.Header.Get("Content-Type"))
	if err != nil || !strings.HasPrefix(mediaType, "application/vnd.") {
		mediaType = ""
	}
	return content.Manifest{Descriptor: content.Descriptor{MediaType: mediaType, Digest: got, Size: int64(len(a.Body))}, Content: a.Body}, nil
}

func digestOfAlgorithm(a digest.Algorithm, data []byte) digest.Digest {
	if !a.Available() {
		return ""
	}
	return a.FromBytes(data)
}

// Blob opens a blob, at the registry or where that says it is. If the connection breaks
// the reader resumes: by a range, or where there are none from the first byte.
func (r *Repository) Blob(ctx context.Context, d content.Descriptor) (io.ReadCloser, error) {
	c, err := r.client(ctx, actionsPull, "")
	if err != nil {
		return nil, err
	}
	blob := &registryRanges{registry: r, client: c, d: d}
	var body io.ReadCloser
	err = v2.Retry(ctx, func(ctx context.Context) (err error) {
		body, err = blob.whole(ctx)
		return err
	})
	if err != nil {
		return nil, r.fail("blob "+string(d.Digest), err)
	}
	if d.Size <= 0 {
		return body, nil
	}
	return ranges.NewReader(ctx, body, blob.rest, d.Size), nil
}

// Ranges reads a blob by ranges, where the registry says that it is.
func (r *Repository) Ranges(ctx context.Context, d content.Descriptor) (content.RangeOpener, error) {
	c, err := r.client(ctx, actionsPull, "")
	if err != nil {
		return nil, err
	}
	return (&registryRanges{registry: r, client: c, d: d}).open, nil
}

// registryRanges are the ranges of one blob.
type registryRanges struct {
	registry *Repository
	client   *v2.Client
	d        content.Descriptor

	mu sync.Mutex
	at *url.URL // where the blob is, nil if that is the registry itself or not known
}

func (b *registryRanges) open(ctx context.Context, first, n int64) (io.ReadCloser, error) {
	response, err := b.get(ctx, fmt.Sprintf("bytes=%d-%d", first, first+n-1))
	if err == nil {
		if err = checkRange(response, b.d.Size, first, n); err != nil {
			response.Body.Close()
		}
	}
	if err == nil {
		return response.Body, nil
	}
	return nil, b.registry.fail("blob "+string(b.d.Digest), err)
}

// whole opens the blob at its first byte.
func (b *registryRanges) whole(ctx context.Context) (io.ReadCloser, error) {
	response, _, err := b.registry.openBlob(ctx, b.client, b.d, "")
	if err != nil {
		return nil, err
	}
	return response.Body, nil
}

// rest opens the blob at a byte, also where there are no ranges.
func (b *registryRanges) rest(ctx context.Context, first, n int64) (io.ReadCloser, error) {
	body, err := b.open(ctx, first, n)
	if errors.Is(err, content.ErrNoRanges) {
		return ranges.Whole(b.whole)(ctx, first, n)
	}
	return body, err
}

// get asks at once where the blob was before; if it is refused there, the URL may
// have expired, and the registry is asked again.
func (b *registryRanges) get(ctx context.Context, byteRange string) (*http.Response, error) {
	b.mu.Lock()
	at := b.at
	b.mu.Unlock()
	if at != nil {
		response, err := b.registry.elsewhere(blobRequest(ctx, at, byteRange))
		var refused *v2.Error
		if !errors.As(err, &refused) || !refused.Expired() {
			return response, err
		}
	}
	response, at, err := b.registry.openBlob(ctx, b.client, b.d, byteRange)
	if err == nil {
		b.mu.Lock()
		b.at = at
		b.mu.Unlock()
	}
	return response, err
}

// checkRange refuses an answer that is not the range that was asked for.
func checkRange(r *http.Response, size, first, n int64) error {
	if r.StatusCode == http.StatusOK {
		if first == 0 && n == size {
			return nil
		}
		return content.Permanent(content.ErrNoRanges)
	}
	last := first + n - 1
	known := fmt.Sprintf("bytes %d-%d/%d", first, last, size)
	got := r.Header.Get("Content-Range")
	if !slices.Contains([]string{known, fmt.Sprintf("bytes %d-%d/*", first, last)}, got) {
		return content.Permanent(fmt.Errorf("%w: asked for %q, got %.100q", content.ErrIntegrity, known, got))
	}
	return nil
}
