package ecr

import (
	"bytes"
	"context"
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/internal/parts"
)

// TestPushMeasured sends a layer of three parts to registries that are fast, slow and
// far away.
func TestPushMeasured(t *testing.T) {
	whole := map[string]int{postUpload: 1, putUpload: 1}
	native := map[string]int{"InitiateLayerUpload": 1, "UploadLayerPart": 3, "CompleteLayerUpload": 1}
	both := map[string]int{postUpload: 1, putUpload: 1, "InitiateLayerUpload": 1, "UploadLayerPart": 3, "CompleteLayerUpload": 1}
	near := fastLane{size: 1, near: time.Hour, bytes: math.MaxInt64, time: time.Hour}
	slow := fastLane{size: 1, near: time.Hour, bytes: math.MaxInt64, time: time.Microsecond}
	tests := map[string]struct {
		lane  fastLane
		shape localecr.NetworkShape
		mode  UploadMode
		begun bool // by an earlier process
		want  map[string]int
	}{
		"sent before it was measured": {lane: near, want: whole},
		"fast":                        {lane: fastLane{size: 1, near: time.Hour, time: time.Microsecond}, want: whole},
		"slow":                        {lane: slow, want: both},
		"slow connections":            {lane: fastLane{size: 1, near: time.Hour, bytes: 6 << 20, time: 40 * time.Millisecond}, shape: localecr.NetworkShape{Rate: 20 << 20}, want: both},
		"far away":                    {lane: fastLane{size: 1, near: 1, time: 1}, want: native},
		"small":                       {lane: fastLane{size: 1 << 30, near: time.Hour, time: 1}, want: native},
		"not wanted":                  {lane: near, mode: UploadNative, want: native},
		"begun":                       {lane: near, begun: true, want: map[string]int{"UploadLayerPart": 4, "CompleteLayerUpload": 1}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newSmallPartsWorld(t, localecr.Options{Shape: tt.shape})
			data, d := largeBlob()
			e := w.v2Repository("app")
			e.speed.lane, e.Upload = tt.lane, tt.mode
			var sent, resumed atomic.Int64
			how := w.how(t.TempDir(), &sent, &resumed)
			if missing, err := e.MissingBlobs(t.Context(), []content.Descriptor{d}); err != nil || len(missing) != 1 {
				t.Fatalf("%v, %v", missing, err)
			}
			if tt.begun {
				beginUpload(t, e, how)
			}
			w.Calls.Reset()
			fixture.Check(t, e.UploadBlob(t.Context(), d, parts.File{File: bytes.NewReader(data)}, how))
			w.ExpectCalls(tt.want)
			if sent.Load() != d.Size {
				t.Errorf("%d of %d bytes count as sent", sent.Load(), d.Size)
			}
			if missing, err := e.MissingBlobs(t.Context(), []content.Descriptor{d}); err != nil || len(missing) != 0 {
				t.Errorf("%v, %v", missing, err)
			}
		})
	}
}

// TestPushMeasuredOnce has many layers wait for what one of them finds out.
func TestPushMeasuredOnce(t *testing.T) {
	for _, fast := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			s := &speed{}
			var measured, isFast atomic.Int64
			var group sync.WaitGroup
			for range 20 {
				group.Go(func() {
					m, known, err := s.wait(t.Context())
					fixture.Check(t, err)
					if m == nil {
						if known {
							isFast.Add(1)
						}
						return
					}
					measured.Add(1)
					m.pace().Known(fast)
					time.Sleep(time.Minute)
					m.done(!fast) // too late to count
				})
			}
			group.Wait()
			want := int64(0)
			if fast {
				want = 19
			}
			if measured.Load() != 1 || isFast.Load() != want {
				t.Errorf("measured %d times, %d found it fast, want %d", measured.Load(), isFast.Load(), want)
			}
		})
	}
}

// TestPushMeasuredEnds has the context end while another layer measures.
func TestPushMeasuredEnds(t *testing.T) {
	s := &speed{}
	m, _, err := s.wait(t.Context())
	fixture.Check(t, err)
	defer m.done(true)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := s.wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestPushMeasuredWrongFile sends a file with another digest at once: that the registry
// refuses it is no reason to send it by parts.
func TestPushMeasuredWrongFile(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	data, d := largeBlob()
	data[5] ^= 1
	for _, mode := range []UploadMode{UploadAuto, UploadV2} {
		e := w.v2Repository("app")
		e.Upload = mode
		e.speed = speed{lane: fastLane{size: 1, near: time.Hour, time: time.Microsecond}, answer: 1}
		how := w.how(t.TempDir(), new(atomic.Int64), new(atomic.Int64))
		err := e.UploadBlob(t.Context(), d, parts.File{File: bytes.NewReader(data)}, how)
		var wrong *content.SourceError
		if !errors.As(err, &wrong) || !errors.Is(err, content.ErrIntegrity) {
			t.Errorf("%s: %v", mode, err)
		}
		w.ExpectCalls(map[string]int{postUpload: 1, putUpload: 1})
		w.Calls.Reset()
	}
}
