package pace

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"github.com/ecrkit/ecrkit/internal/calls/retry"
)

// clock is the time of a synctest bubble.
type clock struct{}

func (clock) Now() time.Time { return time.Now() }

func (clock) Sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// service is a service with a token bucket, which takes 20 ms for an answer.
type service struct {
	limiter               *rate.Limiter
	mu                    sync.Mutex
	accepted, throttlings int
}

func (s *service) call() Outcome {
	time.Sleep(10 * time.Millisecond)
	ok := s.limiter.Allow()
	time.Sleep(10 * time.Millisecond)
	s.mu.Lock()
	defer s.mu.Unlock()
	if ok {
		s.accepted++
		return Accepted
	}
	s.throttlings++
	return Throttled
}

// TestKeepsToQuota has many workers call services with quotas like those of AWS, or
// others than the one that the bucket begins with.
func TestKeepsToQuota(t *testing.T) {
	tests := map[string]struct {
		first, quota float64
		burst        int
		calls        int
		processes    int
		expected     int
		throttled    float64 // at most, of all calls
		used         float64 // at least, of what is allowed
	}{
		"PutImage":            {10, 10, 10, 300, 1, 0, 0.01, 0.9},
		"long":                {10, 10, 10, 3000, 1, 0, 0.01, 0.9},
		"InitiateLayerUpload": {100, 100, 100, 3000, 1, 0, 0.01, 0.9},
		"UploadLayerPart":     {500, 500, 500, 10000, 1, 0, 0.01, 0.9},
		"no burst":            {10, 10, 1, 300, 1, 0, 0.1, 0.6},
		"lower quota":         {10, 2, 2, 200, 1, 0, 0.15, 0.7},
		"much lower quota":    {1000, 20, 20, 1000, 1, 0, 0.15, 0.7},
		"two processes":       {10, 10, 10, 600, 2, 0, 0.1, 0.5},
		"eight processes":     {100, 100, 100, 10000, 8, 0, 0.1, 0.5},
		"raised quota":        {10, 100, 100, 600, 1, 0, 0, 0.5},
		"many calls":          {10, 10, 10, 300, 1, 300, 0.05, 0.9},
		"a hundred":           {10, 10, 10, 100, 1, 100, 0.05, 0.9},
		"fifty":               {10, 10, 10, 50, 1, 50, 0.1, 0.7},
		"uploads":             {100, 100, 100, 460, 1, 460, 0.05, 0.8},
		"many uploads":        {100, 100, 100, 4600, 1, 4600, 0.01, 0.9},
		"uploads, no burst":   {100, 100, 1, 460, 1, 460, 0.05, 0.5},
		"many, no burst":      {10, 10, 1, 300, 1, 300, 0.1, 0.6},
		"many, processes":     {10, 10, 10, 600, 2, 300, 0.1, 0.5},
		"many, raised quota":  {10, 500, 500, 2000, 1, 2000, 0.01, 0.5},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &service{limiter: rate.NewLimiter(rate.Limit(tt.quota), tt.burst)}
				began := time.Now()
				var group sync.WaitGroup
				for p := range tt.processes {
					b := NewBucket(clock{}, tt.first)
					b.Expect(tt.expected)
					todo := make(chan struct{}, tt.calls)
					for range tt.calls / tt.processes {
						todo <- struct{}{}
					}
					close(todo)
					for range 16 {
						group.Go(func() {
							time.Sleep(time.Duration(p) * 7 * time.Millisecond)
							for range todo {
								for outcome := Throttled; outcome == Throttled; {
									sent, err := b.Wait(t.Context())
									if err != nil {
										t.Error(err)
										return
									}
									outcome = s.call()
									b.Done(sent, outcome, time.Time{})
								}
							}
						})
					}
				}
				group.Wait()
				took := time.Since(began)
				allowed := float64(tt.calls-tt.burst) / tt.quota
				throttled, used := float64(s.throttlings)/float64(s.accepted+s.throttlings), allowed/took.Seconds()
				t.Logf("%s: %.2f%% throttled, %.0f%% of the allowed rate", took, throttled*100, used*100)
				if throttled > tt.throttled || used < tt.used {
					t.Errorf("want at most %.0f%% and at least %.0f%%", tt.throttled*100, tt.used*100)
				}
			})
		})
	}
}

// TestRetryAfterHolds has all workers wait for the time that one of them was told.
func TestRetryAfterHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBucket(clock{}, 10)
		const wait = 7 * time.Second
		until := time.Now().Add(wait)
		b.Done(time.Now(), Throttled, until)
		b.Done(time.Now(), Throttled, until.Add(-time.Second)) // an earlier time does not shorten it
		var mu sync.Mutex
		var times []time.Time
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				if _, err := b.Wait(t.Context()); err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				times = append(times, time.Now())
			})
		}
		group.Wait()
		slices.SortFunc(times, time.Time.Compare)
		for i, at := range times {
			if at.Before(until) {
				t.Errorf("call %d came %s too early", i, until.Sub(at))
			}
			if i > 0 && at.Sub(times[i-1]) < 100*time.Millisecond {
				t.Errorf("call %d came %s after the one before", i, at.Sub(times[i-1]))
			}
		}
		if late := times[0].Sub(until); late > wait/10 {
			t.Errorf("the first call came %s too late", late)
		}
	})
}

func TestWaitEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBucket(clock{}, 1)
		b.Done(time.Now(), Accepted, time.Now().Add(10*time.Minute))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var group sync.WaitGroup
		for range 3 { // one sleeps, the others wait for their turn
			group.Go(func() {
				if _, err := b.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v", err)
				}
			})
		}
		group.Wait()
		ended, stop := context.WithCancel(t.Context())
		stop()
		if _, err := NewBucket(clock{}, 1).Wait(ended); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

// TestIdle has a bucket that was not used for long give no more than its burst.
func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBucket(clock{}, 10)
		time.Sleep(time.Hour)
		began := time.Now()
		for range 10 {
			if _, err := b.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took < 500*time.Millisecond || took > 600*time.Millisecond {
			t.Errorf("ten calls took %s", took)
		}
	})
}

// TestFarRetryAfter has a service that wants no call for a day: whoever is about to make one, or waits for its turn,
// has an error at once. After that time calls are made again.
func TestFarRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBucket(clock{}, 1)
		began := time.Now()
		until := began.Add(24 * time.Hour)
		b.Done(began, Throttled, until)
		var group sync.WaitGroup
		for range 3 {
			group.Go(func() {
				var closed *retry.LimitError
				if _, err := b.Wait(t.Context()); !errors.As(err, &closed) || closed.Until.Before(until) {
					t.Errorf("got %v", err)
				}
			})
		}
		group.Wait()
		if took := time.Since(began); took > time.Second {
			t.Errorf("waited for %s", took)
		}
		time.Sleep(25 * time.Hour)
		if _, err := b.Wait(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestPatience has a service that wants no call for some hours: who has the patience waits, and who is strict does not even wait for
// what others do.
func TestPatience(t *testing.T) {
	for _, c := range []struct {
		patience retry.Patience
		ahead    time.Duration
		waits    bool
	}{
		{retry.Patience{Throttled: 24 * time.Hour}, 6 * time.Hour, true},
		{retry.Patience{Throttled: 24 * time.Hour}, 25 * time.Hour, false},
		{retry.Patience{Throttled: time.Hour, Strict: true}, 59 * time.Minute, true},
		{retry.Patience{Throttled: time.Minute, Strict: true}, 2 * time.Minute, false},
		{retry.Patience{Strict: true}, 10 * time.Second, false},
		{retry.Patience{Strict: true}, 2 * time.Second, true}, // is no limit that is used up
		{retry.Patience{}, 10 * time.Minute, true},
		{retry.Patience{}, 12 * time.Minute, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := NewBucket(clock{}, 1)
			began := time.Now()
			b.Done(began, Throttled, began.Add(c.ahead))
			_, err := b.Wait(retry.WithPatience(t.Context(), c.patience))
			limit := (*retry.LimitError)(nil)
			if took := time.Since(began); c.waits && (err != nil || took < c.ahead) || !c.waits && (took > 0 || !errors.As(err, &limit)) {
				t.Errorf("%+v, %s ahead: waited for %s: %v", c.patience, c.ahead, took, err)
			}
		})
	}
}
