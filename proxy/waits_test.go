package proxy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/calls/retry"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// refusing is an upstream that refuses some requests, which are sent again as those of registries are.
type refusing struct {
	*upstream
	err   error                   // of a refusal
	at    func(first int64) error // of a range from a byte on; nil is that none is refused
	kinds string                  // what else is refused
	tries atomic.Int64
}

// slowDown is the refusal of a service that limits requests.
type slowDown struct{ until time.Time }

func (slowDown) Error() string { return "503 Service Unavailable: SlowDown" }

func (e slowDown) Verdict() (retry.Verdict, time.Time) { return retry.Throttled, e.until }

func (u *refusing) ask(ctx context.Context, kind string) error {
	return retry.Do(ctx, retry.Default(), func(context.Context) error {
		if u.tries.Add(1); strings.Contains(u.kinds, kind) {
			return u.err
		}
		return nil
	})
}

func (u *refusing) Resolve(ctx context.Context, reference string) (content.Manifest, error) {
	if err := u.ask(ctx, kindManifests); err != nil {
		return content.Manifest{}, err
	}
	return u.upstream.Resolve(ctx, reference)
}

func (u *refusing) StatBlob(ctx context.Context, d digest.Digest) (content.Descriptor, error) {
	if err := u.ask(ctx, "stat"); err != nil {
		return content.Descriptor{}, err
	}
	return u.upstream.StatBlob(ctx, d)
}

func (u *refusing) Ranges(ctx context.Context, d content.Descriptor) (content.RangeOpener, error) {
	if err := u.ask(ctx, "url"); err != nil {
		return nil, err
	}
	open, err := u.upstream.Ranges(ctx, d)
	return func(ctx context.Context, first, n int64) (io.ReadCloser, error) {
		if u.at != nil {
			err := retry.Do(ctx, retry.Default(), func(context.Context) error { u.tries.Add(1); return u.at(first) })
			if err != nil {
				return nil, err
			}
		}
		return open(ctx, first, n)
	}, err
}

// get answers a request to a proxy without a connection.
func get(t *testing.T, h http.Handler, path string) (answer *httptest.ResponseRecorder, took time.Duration) {
	began := time.Now()
	answer = httptest.NewRecorder()
	func() {
		defer func() {
			if r := recover(); r != nil && r != http.ErrAbortHandler {
				t.Error(r)
			}
		}()
		h.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1:4511"+path, nil))
	}()
	return answer, time.Since(began)
}

// newRefusing is a proxy before u.
func newRefusing(t *testing.T, u *refusing, log *warnings, change ...func(*Options)) *Handler {
	cache, err := OpenCache(t.TempDir(), 64<<20)
	if err != nil {
		t.Fatal(err)
	}
	cache.free = func() (int64, error) { return 1 << 40, nil }
	options := Options{
		Allowed: func(string) bool { return true },
		Open:    func(context.Context, string, string) (content.Source, error) { return u, nil },
	}
	log.collect(&options)
	for _, f := range change {
		f(&options)
	}
	h := New(cache, options)
	t.Cleanup(func() { h.Close(); cache.Close() })
	return h
}

// TestRefusedForLong has a registry refuse a kind of requests for good: after a minute the client is told so, and when to
// try again. Before that the log and the status say what it waits for.
func TestRefusedForLong(t *testing.T) {
	t.Parallel()
	u := newUpstream(3 << 20)
	all := func(int64) error { return slowDown{} }
	for name, tt := range map[string]struct {
		u          *refusing
		path       string
		code       string
		retryAfter string
		required   bool // with a policy
	}{
		"tag":                {&refusing{kinds: kindManifests, err: slowDown{}}, app + "/manifests/1.0", "TOOMANYREQUESTS", "30", false},
		"digest":             {&refusing{kinds: kindManifests, err: slowDown{}}, app + "/manifests/" + string(u.manifest.Descriptor.Digest), "TOOMANYREQUESTS", "30", false},
		"size of a blob":     {&refusing{kinds: "stat", err: slowDown{}}, u.path(), "TOOMANYREQUESTS", "30", false},
		"URL of a blob":      {&refusing{kinds: "url", err: slowDown{}}, u.path(), "TOOMANYREQUESTS", "30", false},
		"bytes of a blob":    {&refusing{at: all}, u.path(), "TOOMANYREQUESTS", "30", false},
		"signature":          {&refusing{kinds: "url", err: slowDown{}}, app + "/manifests/1.0", "TOOMANYREQUESTS", "30", true},
		"with a time":        {&refusing{kinds: kindManifests, err: slowDown{time.Unix(1<<40, 0)}}, app + "/manifests/1.0", "TOOMANYREQUESTS", "3600", false},
		"with a time in 9 m": {&refusing{kinds: kindManifests, err: slowDown{}}, app + "/manifests/1.0", "TOOMANYREQUESTS", "480", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				refusing := tt.u
				refusing.upstream = u
				if name == "with a time in 9 m" {
					refusing.err = slowDown{time.Now().Add(9 * time.Minute)}
				}
				log := &warnings{}
				h := newRefusing(t, refusing, log, func(o *Options) {
					if tt.required {
						o.Demand = func(context.Context, string, string) (ImageRequirements, error) {
							return ImageRequirements{"key", func(ctx context.Context, src content.Source, m content.Manifest) error {
								_, err := src.(content.RangeReader).Ranges(ctx, m.Descriptor)
								return err
							}}, nil
						}
					}
				})
				atOnce := name == "with a time"
				if !atOnce {
					time.AfterFunc(refusedLogged+time.Second, func() {
						if s := h.Status(); len(s.Waiting) != 1 || s.Waiting[0].Registry != registryHost || s.Waiting[0].Reason != "it limits requests" || h.waits.count() < 1 {
							t.Errorf("the status has %+v", s.Waiting)
						}
						if text := log.String(); !strings.Contains(text, `"msg":"waiting","host":"`+registryHost) {
							t.Errorf("the log does not say what is waited for: %s", text)
						}
					})
				}
				answer, took := get(t, h, tt.path)
				var body struct {
					Errors []struct{ Code, Message string }
				}
				if err := json.Unmarshal(answer.Body.Bytes(), &body); err != nil || answer.Code != http.StatusServiceUnavailable || len(body.Errors) != 1 {
					t.Fatalf("status %d after %s: %s, %v", answer.Code, took, answer.Body, err)
				}
				if e := body.Errors[0]; e.Code != tt.code || !strings.Contains(e.Message, registryHost+" limits requests") {
					t.Errorf("%+v", e)
				}
				if got := answer.Header().Get("Retry-After"); got != tt.retryAfter {
					t.Errorf("Retry-After: %q, want %s", got, tt.retryAfter)
				}
				if atOnce && took > time.Second || !atOnce && (took < refusedFor || took > refusedFor+time.Second) {
					t.Errorf("the answer took %s", took)
				}
				synctest.Wait()
				if s := h.Status(); len(s.Waiting) > 0 || h.waits.count() > 0 {
					t.Errorf("something still waits: %+v", s.Waiting)
				}
				tries := refusing.tries.Load()
				time.Sleep(time.Minute)
				if refusing.tries.Load() != tries {
					t.Error("the registry is still asked")
				}
			})
		})
	}
}

// TestRefusedForAWhile has a registry that is accepted again before a minute is over, and one that refuses bytes in the
// middle of a blob: their clients get all bytes.
func TestRefusedForAWhile(t *testing.T) {
	t.Parallel()
	for name, from := range map[string]int64{"first bytes": 0, "bytes in the middle": 1 << 20} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				long := refusedFor - 10*time.Second
				if from > 0 {
					long = 3 * refusedFor
				}
				end := time.Now().Add(long)
				u := &refusing{upstream: newUpstream(3 << 20), at: func(first int64) error {
					if first >= from && time.Now().Before(end) {
						return slowDown{}
					}
					return nil
				}}
				h := newRefusing(t, u, &warnings{})
				answer, took := get(t, h, u.path())
				if answer.Code != http.StatusOK || digest.FromBytes(answer.Body.Bytes()) != digest.FromBytes(u.blob) || took < long {
					t.Errorf("status %d, %d bytes after %s", answer.Code, answer.Body.Len(), took)
				}
			})
		})
	}
}

// TestUnanswering has a registry that fails again and again: what it says comes before a minute is over.
func TestUnanswering(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := &refusing{upstream: newUpstream(1 << 20), kinds: kindManifests, err: errors.New("connection reset")}
		answer, took := get(t, newRefusing(t, u, &warnings{}), app+"/manifests/1.0")
		if answer.Code != http.StatusBadGateway || took > refusedFor || !strings.Contains(answer.Body.String(), "connection reset") {
			t.Errorf("status %d after %s: %s", answer.Code, took, answer.Body)
		}
		// One that takes a minute for each answer: two of them are enough.
		slow := &slowRegistry{u}
		h := newRefusing(t, u, &warnings{}, func(o *Options) {
			o.Open = func(context.Context, string, string) (content.Source, error) { return slow, nil }
		})
		answer, took = get(t, h, app+"/manifests/1.0")
		if answer.Code != http.StatusServiceUnavailable || took < refusedFor || took > 2*refusedFor+time.Second || !strings.Contains(answer.Body.String(), "does not answer") {
			t.Errorf("status %d after %s: %s", answer.Code, took, answer.Body)
		}
	})
}

// slowRegistry answers nothing for a minute.
type slowRegistry struct{ *refusing }

func (slowRegistry) Resolve(ctx context.Context, _ string) (content.Manifest, error) {
	return content.Manifest{}, retry.Do(ctx, retry.Default(), func(ctx context.Context) error {
		select {
		case <-time.After(retry.Default().Answer):
			return fmt.Errorf("GET: %w", context.DeadlineExceeded)
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

// TestWaitingIsSaidOnce has many clients wait for one registry: the log has one line.
func TestWaitingIsSaidOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := &warnings{}
		u := &refusing{upstream: newUpstream(1 << 20), kinds: kindManifests, err: slowDown{}}
		h := newRefusing(t, u, log)
		for range 20 {
			go get(t, h, app+"/manifests/1.0")
		}
		time.Sleep(refusedFor / 2)
		if n := strings.Count(log.String(), `"msg":"waiting"`); n != 1 {
			t.Errorf("%d lines: %s", n, log)
		}
		if s := h.Status(); len(s.Waiting) != 1 || s.Waiting[0].Requests != 20 {
			t.Errorf("the status has %+v", s.Waiting)
		}
		time.Sleep(refusedFor)
	})
}
