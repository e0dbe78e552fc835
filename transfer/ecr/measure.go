package ecr

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/ecrkit/ecrkit/internal/calls"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/parts"
	v2 "github.com/ecrkit/ecrkit/transfer/internal/v2"
)

// Parts have a third more bytes than the layer, each of which is encoded and hashed on
// the way. That pays off where a connection, and not the processors, is the limit; next
// to a registry that takes all that one connection brings, it does not. So UploadAuto
// begins the first large layer with a registry that is near as UploadV2 does, looks
// how fast it goes, and sends it by parts if that is not fast.
type fastLane struct {
	// size is how large a layer is that is worth it, in bytes.
	size int64
	// near is how soon a registry that is near answers. With one that is farther away,
	// several connections are faster in any case.
	near time.Duration
	// bytes go within time, from the first byte on, where it is fast.
	bytes int64
	time  time.Duration
}

// defaultFastLane wants more bytes than the buffers of a connection take, and the rate
// that parts reach on two cores.
func defaultFastLane() fastLane {
	return fastLane{size: 64 << 20, near: 15 * time.Millisecond, bytes: 16 << 20, time: 80 * time.Millisecond}
}

// speed is what is known of how fast a registry is. Nothing is measured with a zero
// lane.
type speed struct {
	lane fastLane

	mu     sync.Mutex
	answer time.Duration // the shortest time in which it answered; 0 is not known
	turn   chan struct{} // is held by who measures
	known  bool
	fast   bool // with one connection
}

// timed notes how soon the registry answers.
func (s *speed) timed(next calls.Sender) calls.Sender {
	return func(r *http.Request) (*http.Response, error) {
		began := time.Now()
		response, err := next(r)
		if d := time.Since(began); err == nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.answer == 0 || d < s.answer {
				s.answer = d
			}
		}
		return response, err
	}
}

// measurable reports whether it may be fast to send a layer over one connection.
func (s *speed) measurable(d content.Descriptor, data content.PartReader) bool {
	if _, ok := data.(parts.File); !ok || d.Size < s.lane.size {
		return false // what comes from elsewhere may be what is slow
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.answer > 0 && s.answer <= s.lane.near && (s.fast || !s.known)
}

// wait reports whether it is fast to send a layer over one connection. As long as that
// is not known, one measures it and the others wait: m is then not nil, and the
// caller has to call m.done.
func (s *speed) wait(ctx context.Context) (m *measurement, fast bool, err error) {
	s.mu.Lock()
	if s.turn == nil {
		s.turn = make(chan struct{}, 1)
	}
	s.mu.Unlock()
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, false, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known {
		<-s.turn
		return nil, s.fast, nil
	}
	return &measurement{speed: s}, false, nil
}

// measurement is an upload that shows how fast a registry is.
type measurement struct {
	speed *speed
	once  sync.Once
}

// done records the result. Only the first call counts.
func (m *measurement) done(fast bool) {
	m.once.Do(func() {
		m.speed.mu.Lock()
		defer m.speed.mu.Unlock()
		m.speed.known, m.speed.fast = true, fast
		<-m.speed.turn
	})
}

// pace has the upload end where it is not fast; nil means none.
func (m *measurement) pace() *v2.Pace {
	if m == nil {
		return nil
	}
	return &v2.Pace{Bytes: m.speed.lane.bytes, Time: m.speed.lane.time, Known: m.done}
}

// putFast uploads a layer by /v2/ if that is fast. If it is not, done is false.
func (e *Repository) putFast(ctx context.Context, client *v2.Client, d content.Descriptor, data content.PartReader, how content.Upload, upload *url.URL) (done bool, err error) {
	m, fast, err := e.speed.wait(ctx)
	if err != nil {
		return true, err
	}
	if m == nil && !fast {
		return false, nil
	}
	done, err = e.putWhole(ctx, client, d, data, how, upload, m.pace())
	if m != nil {
		m.done(done && err == nil) // if the upload ended sooner than it could be measured
	}
	return done, err
}
