package sign

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/sigstore/sigstore/pkg/signature"

	"github.com/ecrkit/ecrkit/internal/imagetree"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// heldSigner signs when it is let go.
type heldSigner struct {
	signature.SignerVerifier
	asked, free chan struct{}
	once        sync.Once
}

func (s *heldSigner) SignMessage(message io.Reader, opts ...signature.SignOption) ([]byte, error) {
	s.once.Do(func() { close(s.asked) })
	<-s.free
	return s.SignerVerifier.SignMessage(message, opts...)
}

// TestSignImageAndIndex has one sign an index with its images and another one of the
// images, in either order: the second waits for the first, and both signatures stay.
func TestSignImageAndIndex(t *testing.T) {
	t.Parallel()
	for _, order := range []string{"index first", "image first"} {
		t.Run(order, func(t *testing.T) {
			t.Parallel()
			store := layout.New(filepath.Join(t.TempDir(), "layout"))
			index := push(t, store, 2)
			images, err := imagetree.ReadTree(t.Context(), store, index)
			check(t, err)
			child := images[0]
			opts := Options{Formats: []Format{FormatLegacy}, Repository: "registry.example.com/app", LockDir: t.TempDir(), pause: time.Millisecond}
			recursive := opts
			recursive.Recursive = true
			type sign func(context.Context, *Signer) error
			first := sign(func(ctx context.Context, s *Signer) error {
				_, err := Sign(ctx, store, index, s, recursive)
				return err
			})
			second := sign(func(ctx context.Context, s *Signer) error { _, err := Sign(ctx, store, child, s, opts); return err })
			if order == "image first" {
				first, second = second, first
			}

			_, key := newTestSigner(t, "held")
			held := &heldSigner{SignerVerifier: key, asked: make(chan struct{}), free: make(chan struct{})}
			heldSigner, err := NewSigner(t.Context(), "held", held)
			check(t, err)
			done := make(chan error)
			go func() { done <- first(t.Context(), heldSigner) }()
			<-held.asked
			signer, count := newTestSigner(t, "waiting")
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			if err := second(ctx, signer); !errors.Is(err, context.DeadlineExceeded) || count.signs.Load() > 0 {
				t.Errorf("the second did not wait: %v, %d signatures made", err, count.signs.Load())
			}
			close(held.free)
			check(t, <-done)
			check(t, second(t.Context(), signer))
			var doc ocispec.Manifest
			check(t, json.Unmarshal(resolve(t, store, attachedTag(child.Descriptor.Digest, ".sig")).Content, &doc))
			if len(doc.Layers) != 2 {
				t.Errorf("%d signatures", len(doc.Layers))
			}
		})
	}
}

func TestLock(t *testing.T) {
	t.Parallel()
	store := layout.New("app")
	var images []digest.Digest
	for i := range 400 { // more than there are lock files
		images = append(images, digest.FromString(string(rune(i))))
	}
	dir := filepath.Join(t.TempDir(), "state", "signing")
	for range 2 {
		unlock, err := lock(t.Context(), dir, store, images)
		check(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if _, err := lock(ctx, dir, store, images[7:8]); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("one image of them: %v", err)
		}
		cancel()
		unlock()
	}
	// Where there can be no lock file, signers look again after writing.
	file := filepath.Join(t.TempDir(), "file")
	check(t, os.WriteFile(file, nil, 0o600))
	if _, err := lock(t.Context(), filepath.Join(file, "signing"), store, images); err == nil {
		t.Error("a file as directory is no error")
	}
	unlock, err := lock(t.Context(), "", store, images)
	check(t, err)
	unlock()
}
