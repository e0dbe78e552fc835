package transfer

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// engine is as much of a docker engine as saves and loads images.
type engine struct {
	saved  []byte // what it saves of app:1
	answer string // to a load
	loaded []byte
}

func (e *engine) start(t *testing.T) DockerDaemon {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/_ping", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Api-Version", "1.41") })
	mux.HandleFunc("GET /v1.41/images/{name}/json", func(w http.ResponseWriter, r *http.Request) {
		if r.PathValue("name") != "app:1" {
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"message":"No such image"}`)
			return
		}
		_, _ = io.WriteString(w, `{}`)
	})
	mux.HandleFunc("GET /v1.41/images/get", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(e.saved) })
	mux.HandleFunc("POST /v1.41/images/load", func(w http.ResponseWriter, r *http.Request) {
		e.loaded, _ = io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, e.answer)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return DockerDaemon{Host: "tcp://" + strings.TrimPrefix(server.URL, "http://")}
}

func TestDockerDaemon(t *testing.T) {
	base, top := layerOf(t, 100_000, 1), layerOf(t, 10, 2)
	e := &engine{saved: legacySave(t, base, top).bytes(), answer: `{"stream":"Loaded image: back:2\n"}`}
	daemon, temp := e.start(t), t.TempDir()
	a, err := OpenDockerDaemon(t.Context(), daemon, "app:1", DockerArchiveOptions{TempDir: temp})
	check(t, err)
	dir := filepath.Join(t.TempDir(), "dst")
	result := mustCopy(t, a, NewLayout(dir), Options{Reference: "app:1", Tags: []string{"x"}})
	check(t, a.Close())
	validateLayout(t, dir)

	back, err := copyTo(t, NewLayout(dir), NewDockerDaemonTarget(daemon, "back", temp), Options{Tags: []string{"2"}})
	check(t, err)
	if back.Digest != result.Digest {
		t.Errorf("%+v", back)
	}
	image, err := tarball.Image(opener(e.loaded), nil)
	check(t, err)
	check(t, validate.Image(image))
	if !bytes.Contains(e.loaded, []byte(`"RepoTags":["back:2"]`)) {
		t.Error("loaded without its name")
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left in the temporary directory: %v %v", left, err)
	}

	e.answer = "{\"status\":\"Loading layer\"}\r\n{\"errorDetail\":{\"message\":\"no space left on device\"},\"error\":\"no space left on device\"}\r\n"
	if _, err = copyTo(t, NewLayout(dir), NewDockerDaemonTarget(daemon, "back", temp), Options{}); err == nil || !strings.Contains(err.Error(), "no space left on device") {
		t.Errorf("a load that fails: %v", err)
	}
	e.answer = "<html>"
	if _, err = copyTo(t, NewLayout(dir), NewDockerDaemonTarget(daemon, "back", temp), Options{}); err == nil || !strings.Contains(err.Error(), "the answer of the daemon") {
		t.Errorf("another answer: %v", err)
	}
}

func TestDockerDaemonMissing(t *testing.T) {
	daemon := (&engine{}).start(t)
	if _, err := OpenDockerDaemon(t.Context(), daemon, "app:2", DockerArchiveOptions{}); !errors.Is(err, ErrNotFound) {
		t.Errorf("no image: %v", err)
	}
	dir, _, _ := newFixture(t, 1)
	nowhere := DockerDaemon{Host: "unix://" + filepath.Join(t.TempDir(), "none")}
	_, err := OpenDockerDaemon(t.Context(), nowhere, "app:1", DockerArchiveOptions{})
	_, err2 := copyTo(t, NewLayout(dir), NewDockerDaemonTarget(nowhere, "app", ""), Options{Reference: "image"})
	for _, err := range []error{err, err2} {
		if err == nil || !strings.Contains(err.Error(), "no docker daemon answers at unix://") {
			t.Errorf("no daemon: %v", err)
		}
	}
	if _, err := OpenDockerDaemon(t.Context(), DockerDaemon{Host: "ssh://user:secret@host"}, "app:1", DockerArchiveOptions{}); !errors.Is(err, ErrUnsupported) || strings.Contains(err.Error(), "secret") {
		t.Errorf("ssh: %v", err)
	}
}

func FuzzLoadAnswer(f *testing.F) {
	f.Add([]byte("{\"stream\":\"x\"}\r\n{\"error\":\"y\"}"))
	f.Fuzz(func(t *testing.T, data []byte) { _ = loadError(bytes.NewReader(data)) })
}
