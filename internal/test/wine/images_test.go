//go:build interop_windows

package wine

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"

	"github.com/ecrkit/ecrkit/localecr"
)

const mib = 1 << 20

// tag stores an image of random bytes at the local ECR and returns its digest.
func (s *site) tag(t *testing.T, repository, tag string, layers, size int64) string {
	t.Helper()
	image, err := random.Image(size, layers)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.server.PutImage(t.Context(), repository, tag, image); err != nil {
		t.Fatal(err)
	}
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return digest.String()
}

// dockerArchive writes hello.tar in the user's directory, as docker save does for hello:1.0, and returns its name.
func (u *user) dockerArchive(t *testing.T) string {
	t.Helper()
	archive := func(files ...string) []byte {
		var data bytes.Buffer
		w := tar.NewWriter(&data)
		for i := 0; i < len(files); i += 2 {
			if err := w.WriteHeader(&tar.Header{Name: files[i], Mode: 0o644, Size: int64(len(files[i+1]))}); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write([]byte(files[i+1])); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return data.Bytes()
	}
	layer := archive("hello.txt", "Hello from Windows\r\n")
	config := fmt.Sprintf(`{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:%x"]}}`, sha256.Sum256(layer))
	u.write(t, "hello.tar", string(archive(
		"manifest.json", `[{"Config":"config.json","RepoTags":["hello:1.0"],"Layers":["layer.tar"]}]`,
		"config.json", config, "layer.tar", string(layer))))
	return "hello.tar"
}

// copied runs a command that copies one image, and checks the digest that it prints.
func (s *site) copied(t *testing.T, want string, args ...string) {
	t.Helper()
	if got, _, _ := strings.Cut(s.run(t, ecrkit, args...), " "); got != want {
		t.Errorf("ecrkit %s: got %s, want %s", strings.Join(args, " "), got, want)
	}
}

// testImages moves images between all kinds of places.
func testImages(t *testing.T, m *machine) {
	s := m.site(t, localecr.Options{})
	want := s.tag(t, "app", "1.0", 3, 20_000)
	image := s.image("app:1.0")
	for _, place := range []string{`oci:out`, `oci-archive:out.tar`, `docker-archive:saved.tar`} {
		tag := ":1.0"
		if strings.HasPrefix(place, "docker") {
			tag = ":app:1.0"
		}
		s.copied(t, want, "pull", image, place+tag)
		s.copied(t, want, "pull", image, place+tag) // over what is there
		s.copied(t, want, "push", place+tag, s.image("back:1.0"), "--create-repository")
		s.copied(t, want, "copy", place+tag, "oci:all:"+place[:3])
	}
	s.copied(t, want, "push", "out.tar", s.image("back:detected"))
	if listed := s.run(t, ecrkit, "ls", `out`); !strings.Contains(listed, want) {
		t.Errorf("ls: %s", listed)
	}

	// Streams are binary.
	stream := s.run(t, ecrkit, "pull", "--quiet", image, "oci-archive:-:1.0")
	s.typing(stream+strings.Repeat("\x00", 1024)).copied(t, want, "push", "oci-archive:-:1.0", s.image("back:stream"))

	// An index, and what a registry that is not Amazon ECR stores.
	index, err := random.Index(1000, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.server.PutIndex(t.Context(), "app", "multi", index); err != nil {
		t.Fatal(err)
	}
	digest, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	other := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(other.Close)
	place := strings.TrimPrefix(other.URL, "http://") + "/app"
	s.copied(t, digest.String(), "copy", s.image("app:multi"), place+":multi")
	s.copied(t, digest.String(), "pull", place+":multi", "oci:out:multi")
	s.run(t, ecrkit, "copy", s.image("app"), "oci:mirror", "--all-tags")
	if tags := s.run(t, ecrkit, "ls", "oci:mirror"); !strings.Contains(tags, want) || !strings.Contains(tags, digest.String()) {
		t.Errorf("ls of the mirror: %s", tags)
	}
	s.run(t, ecrkit, "tag", image, "latest")
	s.run(t, ecrkit, "rm", s.image("app:latest"), "--yes")
	s.refused(t, 1, "latest", ecrkit, "pull", s.image("app:latest"), "oci:out:latest")
	s.noLeftovers(t, "out", "all", "mirror")
}

// typing keeps the site of the user.
func (s *site) typing(text string) *site {
	other := *s
	other.user = s.user.typing(text)
	return &other
}

// noLeftovers checks that only the files of a layout are in directories of the user.
func (u *user) noLeftovers(t *testing.T, layouts ...string) {
	t.Helper()
	for _, dir := range layouts {
		entries, err := os.ReadDir(u.file(dir))
		if err != nil {
			t.Error(err)
		}
		for _, e := range entries {
			if name := e.Name(); name != "blobs" && name != "index.json" && name != "oci-layout" {
				t.Errorf("%s is left in %s", name, dir)
			}
		}
	}
}

// testLarge kills a push and a pull of a layer, and resumes them.
func testLarge(t *testing.T, m *machine) {
	const size, part = 32 * mib, "UploadLayerPart"
	s := m.site(t, localecr.Options{Shape: localecr.NetworkShape{Rate: 16 * mib}})
	want := s.tag(t, "app", "1.0", 1, size)
	pull := []string{"pull", s.image("app:1.0"), "oci:out:1.0", "--connections", "2"}
	s.killed(t, func() bool {
		spans, _ := filepath.Glob(s.file("out") + "/.ecrkit-*.spans")
		for _, path := range spans {
			if info, err := os.Stat(path); err == nil && info.Size() > int64(len("ecrkit 1\n")) {
				return true
			}
		}
		return false
	}, pull...)
	if ls := s.run(t, ecrkit, "ls", "oci:out"); strings.Contains(ls, want) {
		t.Errorf("half an image is in the layout:\n%s", ls)
	}
	s.resumed(t, want, pull...)
	s.noLeftovers(t, "out")

	push := []string{"push", "oci:out:1.0", s.image("other:1.0"), "--create-repository", "--connections", "2", "--upload", "native"}
	s.killed(t, func() bool { return s.audit.count(part) >= 2 }, push...)
	s.resumed(t, want, push...)

	// Several pulls into one layout wait for each other.
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			s.copied(t, want, "pull", "--quiet", s.image("other:1.0"), fmt.Sprintf("oci:together:%d", i))
		})
	}
	group.Wait()
	s.noLeftovers(t, "together")
	if ls := s.run(t, ecrkit, "ls", "oci:together"); !strings.Contains(ls, "0, 1, 2, 3") {
		t.Errorf("not all pulls have tagged their image:\n%s", ls)
	}
}

// killed runs ecrkit and kills it at a moment before its end.
func (s *site) killed(t *testing.T, moment func() bool, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), commandTime)
	defer cancel()
	cmd := s.command(ctx, ecrkit, args...)
	var messages bytes.Buffer
	cmd.Stderr = &messages
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for !moment() {
		select {
		case err := <-ended:
			t.Fatalf("ecrkit %s has ended: %v\n%s", strings.Join(args, " "), err, &messages)
		case <-time.After(5 * time.Millisecond):
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-ended
}

// resumed runs a command that was killed before, and checks that it does not move everything again.
func (s *site) resumed(t *testing.T, want string, args ...string) {
	t.Helper()
	stdout, stderr, code := s.execute(t, ecrkit, args...)
	if code != 0 || !strings.HasPrefix(stdout, want) || !strings.Contains(stderr, "had been sent before") {
		t.Errorf("ecrkit %s: exit code %d, not resumed:\n%s%s", strings.Join(args, " "), code, stdout, stderr)
	}
}
