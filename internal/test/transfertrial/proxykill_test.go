//go:build linux

package transfertrial

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/localecr"
)

// TestProxyKill kills the proxy in pushes and pulls.
func TestProxyKill(t *testing.T) {
	t.Parallel()
	s := start(t, localecr.Options{})
	s.proxyKill(2, 0, 7*mib, mib)
}

// TestProxyKillPlain does the same before a registry that is not Amazon ECR.
func TestProxyKillPlain(t *testing.T) {
	t.Parallel()
	s := startOther(t)
	s.proxyKill(2, 0, 7*mib, mib)
}

// startOther starts a local ECR that commands take for any other registry: they log in with a password.
func startOther(t *testing.T) *site {
	t.Helper()
	s := start(t, localecr.Options{})
	token, err := s.command("auth", "token", s.registry).Output()
	check(t, err)
	config, err := json.Marshal(map[string]any{"auths": map[string]any{
		s.registry: map[string]string{"auth": base64.StdEncoding.EncodeToString([]byte("AWS:" + strings.TrimSpace(string(token))))},
	}})
	check(t, err)
	dir := filepath.Join(s.home, ".docker")
	check(t, os.Mkdir(dir, 0o700))
	check(t, os.WriteFile(filepath.Join(dir, "config.json"), config, 0o600))
	s.other = true
	return s
}

// proxyKill kills the proxy so many times while a client pushes an image by it and another one
// pulls an image, each time after a random number of bytes that the registry has received or sent,
// or a moment later. The clients try again until they succeed. The registry never has the tag of an image that
// is not complete, clients never get wrong bytes, and the cache keeps its bound. The points are those of the seed.
func (s *site) proxyKill(kills int, seed uint64, sizes ...int64) {
	t := s.t
	t.Helper()
	dice := rand.New(rand.NewPCG(5, 1+seed))
	m := makeImage(t, random, sizes...)
	s.run("push", "-q", "oci:"+m.dir, s.image("other", "x"))
	dir, room := t.TempDir(), sizes[0]+sizes[0]/2 // no two of the largest layers
	pushed, pulled := 0, 0
	for done := 0; done < kills; {
		p := s.startProxy(dir, room, "--allow-push", "--connections", "2", "--allow", s.registry)
		killed := make(chan struct{})
		later := time.Duration(dice.IntN(2)*dice.IntN(30)) * time.Millisecond
		s.meter.after(dice.Int64N(4*sizes[0]), func() {
			time.AfterFunc(later, func() { _ = p.cmd.Process.Kill(); close(killed) })
		})
		repository := fmt.Sprintf("app%d", pushed)
		s.createRepository(repository)
		pulls := make(chan int)
		go func() {
			n := 0
			for p.pull("other", m.layers[n%len(m.layers)].Digest) == nil {
				n++
			}
			pulls <- n
		}()
		var err error
		for err == nil {
			if err = p.push(repository, m); err == nil {
				pushed++
				s.checkImage(m, repository)
				repository = fmt.Sprintf("app%d", pushed)
				s.createRepository(repository)
			}
		}
		select {
		case <-killed:
			done++
		case <-time.After(time.Minute):
			t.Fatalf("a push fails, and the proxy was not killed: %v\n%s", err, p.log)
		}
		pulled += <-pulls
		_ = p.cmd.Wait() // it was killed
		s.meter.wait()   // the registry still works on what it has got
		if used := onDisk(t, dir); used > room+mib {
			t.Errorf("after %d kills the cache has %d bytes of at most %d", done, used, room)
		}
		if s.tagged(repository) {
			s.checkImage(m, repository)
		}
	}
	// What was begun is completed, and what is in the cache is right.
	p := s.startProxy(dir, room, "--allow-push", "--allow", s.registry)
	defer p.stop()
	s.createRepository("last")
	check(t, p.push("last", m))
	s.checkImage(m, "last")
	for _, layer := range m.layers {
		check(t, p.pull("other", layer.Digest))
	}
	if left, err := os.ReadDir(filepath.Join(dir, "partial")); err != nil || len(left) > 0 {
		t.Errorf("%d incomplete files in the cache, %v", len(left), err)
	}
	s.nothingLeft()
	t.Logf("%d complete pushes and %d complete pulls around %d kills", pushed, pulled, kills)
}

// tagged reports whether a repository has the tag x.
func (s *site) tagged(repository string) bool {
	return s.command("inspect", s.image(repository, "x")).Run() == nil
}

// checkImage checks that a repository has the image as x, byte for byte.
func (s *site) checkImage(m made, repository string) {
	s.t.Helper()
	dst := filepath.Join(s.t.TempDir(), repository)
	s.run("pull", "-q", s.image(repository, "x"), "oci:"+dst)
	m.checkLayout(s.t, dst)
	check(s.t, os.RemoveAll(dst))
}

// push pushes the image of a layout as docker does. Its error is that the proxy does not answer, or not with success.
func (p *proxy) push(repository string, m made) error {
	read := func(d digest.Digest) []byte {
		data, err := os.ReadFile(filepath.Join(m.dir, "blobs", "sha256", d.Encoded()))
		check(p.t, err)
		return data
	}
	manifest := read(m.digest)
	config := digest.Digest(strings.SplitN(string(manifest[bytes.Index(manifest, []byte("sha256:")):]), `"`, 2)[0])
	for _, d := range append([]ocispec.Descriptor{{Digest: config}}, m.layers...) {
		if err := p.pushBlob(repository, d.Digest, read(d.Digest)); err != nil {
			return err
		}
	}
	_, err := p.send(http.MethodPut, p.repository(repository)+"/manifests/x", manifest, http.StatusCreated)
	return err
}

func (p *proxy) pushBlob(repository string, d digest.Digest, data []byte) error {
	if _, err := p.send(http.MethodHead, p.repository(repository)+"/blobs/"+string(d), nil, http.StatusOK); err == nil {
		return nil
	}
	begun, err := p.send(http.MethodPost, p.repository(repository)+"/blobs/uploads/", nil, http.StatusAccepted)
	if err != nil {
		return err
	}
	at := p.url + begun.Get("Location")
	if _, err := p.send(http.MethodPatch, at, data, http.StatusAccepted); err != nil {
		return err
	}
	_, err = p.send(http.MethodPut, at+"?digest="+string(d), nil, http.StatusCreated)
	return err
}

// send sends a request of which the status is to be want.
func (p *proxy) send(method, url string, body []byte, want int) (http.Header, error) {
	request, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", ocispec.MediaTypeImageManifest)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return nil, err
	}
	if response.StatusCode != want {
		return nil, errors.New(method + " " + url + ": " + response.Status)
	}
	return response.Header, nil
}
