package docker_test

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

	"github.com/ecrkit/ecrkit/transfer/docker"

	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// engine is as much of a docker engine as saves and loads images.
type engine struct {
	saved  []byte // what it saves of app:1
	answer string // to a load
	loaded []byte
}

func (e *engine) start(t *testing.T) docker.Daemon {
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
	return docker.Daemon{Host: "tcp://" + strings.TrimPrefix(server.URL, "http://")}
}

func TestDockerDaemon(t *testing.T) {
	base, top := fixture.LayerOf(t, 100_000, 1), fixture.LayerOf(t, 10, 2)
	e := &engine{saved: fixture.LegacySave(t, base, top).Bytes(), answer: `{"stream":"Loaded image: back:2\n"}`}
	daemon, temp := e.start(t), t.TempDir()
	a, err := docker.OpenDaemon(t.Context(), daemon, "app:1", docker.ArchiveOptions{TempDir: temp})
	fixture.Check(t, err)
	dir := filepath.Join(t.TempDir(), "dst")
	result := mustCopy(t, a, layout.New(dir), transfer.Options{Reference: "app:1", Tags: []string{"x"}})
	fixture.Check(t, a.Close())
	fixture.ValidateLayout(t, dir)

	back, err := copyTo(t, layout.New(dir), docker.NewDaemonTarget(daemon, "back", temp), transfer.Options{Tags: []string{"2"}})
	fixture.Check(t, err)
	if back.Digest != result.Digest {
		t.Errorf("%+v", back)
	}
	image, err := tarball.Image(opener(e.loaded), nil)
	fixture.Check(t, err)
	fixture.Check(t, validate.Image(image))
	if !bytes.Contains(e.loaded, []byte(`"RepoTags":["back:2"]`)) {
		t.Error("loaded without its name")
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left in the temporary directory: %v %v", left, err)
	}

	e.answer = "{\"status\":\"Loading layer\"}\r\n{\"errorDetail\":{\"message\":\"no space left on device\"},\"error\":\"no space left on device\"}\r\n"
	if _, err = copyTo(t, layout.New(dir), docker.NewDaemonTarget(daemon, "back", temp), transfer.Options{}); err == nil || !strings.Contains(err.Error(), "no space left on device") {
		t.Errorf("a load that fails: %v", err)
	}
	e.answer = "<html>"
	if _, err = copyTo(t, layout.New(dir), docker.NewDaemonTarget(daemon, "back", temp), transfer.Options{}); err == nil || !strings.Contains(err.Error(), "the answer of the daemon") {
		t.Errorf("another answer: %v", err)
	}
}

func TestDockerDaemonMissing(t *testing.T) {
	daemon := (&engine{}).start(t)
	if _, err := docker.OpenDaemon(t.Context(), daemon, "app:2", docker.ArchiveOptions{}); !errors.Is(err, content.ErrNotFound) {
		t.Errorf("no image: %v", err)
	}
	dir, _, _ := fixture.Layout(t, 1)
	nowhere := docker.Daemon{Host: "unix://" + filepath.Join(t.TempDir(), "none")}
	_, err := docker.OpenDaemon(t.Context(), nowhere, "app:1", docker.ArchiveOptions{})
	_, err2 := copyTo(t, layout.New(dir), docker.NewDaemonTarget(nowhere, "app", ""), transfer.Options{Reference: "image"})
	for _, err := range []error{err, err2} {
		if err == nil || !strings.Contains(err.Error(), "no docker daemon answers at unix://") {
			t.Errorf("no daemon: %v", err)
		}
	}
	if _, err := docker.OpenDaemon(t.Context(), docker.Daemon{Host: "ssh://user:secret@host"}, "app:1", docker.ArchiveOptions{}); !errors.Is(err, content.ErrUnsupported) || strings.Contains(err.Error(), "secret") {
		t.Errorf("ssh: %v", err)
	}
}

// TestDaemonPassword has the address of the engine have a password, which no error shows.
func TestDaemonPassword(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"tcp://bob:secret-pw@127.0.0.1:1", "tcp://bob:secret-pw@127.0.0.1:x", "bob:secret-pw@127.0.0.1", "what://bob:secret-pw@"} {
		_, err := docker.OpenDaemon(t.Context(), docker.Daemon{Host: host}, "app:1", docker.ArchiveOptions{TempDir: t.TempDir()})
		if err == nil || strings.Contains(err.Error(), "secret-pw") {
			t.Errorf("%s: %v", host, err)
		}
	}
}
