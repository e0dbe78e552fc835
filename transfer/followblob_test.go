package transfer

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// rangedBlob is a source of one blob.
type rangedBlob struct {
	data  []byte
	delay time.Duration // of a range

	mu      sync.Mutex
	started time.Time
	opened  []time.Duration // when each range was asked for
}

func (s *rangedBlob) String() string { return "source" }

func (s *rangedBlob) Resolve(context.Context, string) (content.Manifest, error) {
	return content.Manifest{}, content.ErrNotFound
}

func (s *rangedBlob) Manifests(context.Context, []content.Descriptor) ([]content.Manifest, error) {
	return nil, errors.New("not asked for")
}

func (s *rangedBlob) Blob(context.Context, content.Descriptor) (io.ReadCloser, error) {
	return nil, errors.New("not asked for")
}

func (s *rangedBlob) Ranges(context.Context, content.Descriptor) (content.RangeOpener, error) {
	s.started = time.Now()
	return func(_ context.Context, first, n int64) (io.ReadCloser, error) {
		s.mu.Lock()
		s.opened = append(s.opened, time.Since(s.started))
		s.mu.Unlock()
		time.Sleep(s.delay)
		return io.NopCloser(bytes.NewReader(s.data[first : first+n])), nil
	}, nil
}

// TestFollowBlobStart has one connection begin alone: if it is fast, it brings all, and nothing waits for others.
func TestFollowBlobStart(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	for _, tt := range []struct {
		delay time.Duration
		want  []time.Duration
		took  time.Duration
	}{
		{2 * ms, []time.Duration{0, 2 * ms}, 4 * ms}, // the second request is for all that is left
		{time.Second, []time.Duration{0, firstAlone, firstAlone, firstAlone}, firstAlone + time.Second},
	} {
		f, err := os.Create(filepath.Join(t.TempDir(), "blob"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		synctest.Test(t, func(t *testing.T) {
			s := &rangedBlob{data: make([]byte, 4<<20), delay: tt.delay}
			d := content.Descriptor{Digest: digest.FromBytes(s.data), Size: int64(len(s.data))}
			if err := FollowBlob(t.Context(), s, d, f, func(int64) {}, Options{Connections: 4}); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(s.started); took != tt.took {
				t.Errorf("it takes %v, want %v", took, tt.took)
			}
			if !slices.Equal(s.opened, tt.want) {
				t.Errorf("ranges are asked for after %v, want %v", s.opened, tt.want)
			}
		})
	}
}
