package docker

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// TestSilentDaemon has a daemon answer nothing, or stop in the middle of an answer, or send a byte now and then. Each request
// ends, however long the daemon may think about it.
func TestSilentDaemon(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		path   string
		answer io.Reader // nil for none
		want   string
	}{
		"inspect":         {"/v1.41/images/app:1/json", nil, "no answer came for 2m0s"},
		"inspect stops":   {"/v1.41/images/app:1/json", strings.NewReader("{"), "no byte came for 30s"},
		"inspect drips":   {"/v1.41/images/app:1/json", dripping{}, "bytes a second came"},
		"inspect is long": {"/v1.41/images/app:1/json", spaces{}, "longer than 16777216 bytes"},
		"info is long":    {"/v1.41/info", spaces{}, "longer than 16777216 bytes"},
		"save":            {"/v1.41/images/get", nil, "no answer came for 30m0s"},
		"save stops":      {"/v1.41/images/get", strings.NewReader("tar"), "no byte came for 2m0s"},
		"save drips":      {"/v1.41/images/get", dripping{}, "bytes a second came"},
		"load":            {"/v1.41/images/load", nil, "no answer came for 30m0s"},
		"load stops":      {"/v1.41/images/load", strings.NewReader("{"), "no byte came for 30m0s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := watched(silent{test.answer})
				request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://docker"+test.path, nil)
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				response, err := d.RoundTrip(request)
				if err == nil {
					_, err = io.Copy(io.Discard, response.Body)
					response.Body.Close()
				}
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("got %v", err)
				}
				if took := time.Since(began); took > time.Hour {
					t.Errorf("took %s", took)
				}
			})
		})
	}
}

// TestThinkingDaemon has a daemon write the image to its disk for ten minutes before it sends it, as docker does.
func TestThinkingDaemon(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := watched(thinking{})
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://docker/v1.41/images/get", nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := d.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if data, err := io.ReadAll(response.Body); err != nil || string(data) != "tar" {
			t.Errorf("%q %v", data, err)
		}
	})
}

type thinking struct{}

func (thinking) RoundTrip(*http.Request) (*http.Response, error) {
	time.Sleep(10 * time.Minute)
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader("tar"))}, nil
}

// silent answers with what it has, and then with nothing.
type silent struct{ answer io.Reader }

func (s silent) RoundTrip(r *http.Request) (*http.Response, error) {
	if s.answer == nil {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return &http.Response{StatusCode: http.StatusOK, Body: &silentBody{r.Context(), s.answer}}, nil
}

type silentBody struct {
	ctx    context.Context
	answer io.Reader
}

func (b *silentBody) Read(p []byte) (int, error) {
	if n, err := b.answer.Read(p); err == nil {
		return n, b.ctx.Err()
	}
	<-b.ctx.Done()
	return 0, b.ctx.Err()
}

func (b *silentBody) Close() error { return nil }

// dripping has a byte every three seconds.
type dripping struct{}

func (dripping) Read(p []byte) (int, error) {
	time.Sleep(3 * time.Second)
	p[0] = ' '
	return 1, nil
}

// TestDaemonsFaults has a daemon break off, lie and fail, at each step of a save. Each is an error that names the image, and
// none is an image.
func TestDaemonsFaults(t *testing.T) {
	t.Parallel()
	abort := func(w http.ResponseWriter, sent string) {
		_, _ = io.WriteString(w, sent)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	for name, test := range map[string]struct {
		inspect, save http.HandlerFunc
		want          string
	}{
		"inspect is long": {inspect: func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, spaces{}) }, want: "longer than 16777216 bytes"},
		"inspect aborts":  {inspect: func(w http.ResponseWriter, r *http.Request) { abort(w, "{") }, want: "unexpected EOF"},
		"save is refused": {save: func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, `{"message":"disk is broken"}`)
		}, want: "disk is broken"},
		"save aborts":       {save: func(w http.ResponseWriter, r *http.Request) { abort(w, "tar") }, want: "unexpected EOF"},
		"save is empty":     {save: func(http.ResponseWriter, *http.Request) {}, want: "docker-daemon:app:1"},
		"save is a message": {save: func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, `{"message":"late"}`) }, want: "docker-daemon:app:1"},
		"save lies on length": {save: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "4096")
			abort(w, "tar")
		}, want: "unexpected EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mux := http.NewServeMux()
			mux.HandleFunc("/_ping", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Api-Version", "1.41") })
			if test.inspect == nil {
				test.inspect = func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") }
				mux.HandleFunc("GET /v1.41/images/get", test.save)
			}
			mux.HandleFunc("GET /v1.41/images/{name}/json", test.inspect)
			server := httptest.NewServer(mux)
			t.Cleanup(server.Close)
			a, err := OpenDaemon(t.Context(), Daemon{Host: "tcp://" + strings.TrimPrefix(server.URL, "http://")}, "app:1", ArchiveOptions{TempDir: t.TempDir()})
			if err == nil {
				a.Close()
			}
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "docker-daemon:app:1") || errors.Is(err, content.ErrNotFound) && test.save == nil {
				t.Errorf("got %v", err)
			}
		})
	}
}
