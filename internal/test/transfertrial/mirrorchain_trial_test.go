//go:build trial && linux

package transfertrial

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/mirror/media"
)

// putVersion puts in an image with a layer of its own, and what refers to it.
func (s *site) putVersion(t *testing.T, repository string, i int) {
	t.Helper()
	r, err := s.server.Repository(t.Context(), repository)
	check(t, err)
	blob := func(mediaType string, data []byte) ocispec.Descriptor {
		d := ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
		check(t, r.PutLayer(t.Context(), string(d.Digest), bytes.NewReader(data)))
		return d
	}
	versioned := specs.Versioned{SchemaVersion: 2}
	image := ocispec.Manifest{Versioned: versioned, MediaType: ocispec.MediaTypeImageManifest,
		Config: blob(ocispec.MediaTypeImageConfig, fmt.Appendf(nil, `{"architecture":"amd64","os":"linux","rootfs":{"type":"layers"},"version":%d}`, i)),
		Layers: []ocispec.Descriptor{blob(ocispec.MediaTypeImageLayerGzip, bytesOf(1000, "base")), blob(ocispec.MediaTypeImageLayerGzip, bytesOf(600, i))}}
	d := putManifest(t, r, fmt.Sprintf("v%d", i), image.MediaType, image)
	putManifest(t, r, "latest", image.MediaType, image)
	const statement = "application/vnd.example.statement"
	putManifest(t, r, "", image.MediaType, ocispec.Manifest{Versioned: versioned, MediaType: ocispec.MediaTypeImageManifest, ArtifactType: statement, Subject: &d,
		Config: blob(ocispec.MediaTypeEmptyJSON, []byte("{}")), Layers: []ocispec.Descriptor{blob(statement, fmt.Append(nil, "of ", i))}})
}

// volatile is what differs between the lists of equal repositories.
var volatile = regexp.MustCompile(`"(repository|pushedAt|pulledAt)":"[^"]*",?`)

// names returns the tags and untagged digests of a repository, with what they name.
func (s *site) names(t *testing.T, repository string) string {
	t.Helper()
	out, err := s.command("ls", s.registry+"/"+repository, "--output", "json").Output()
	check(t, err)
	out = volatile.ReplaceAll(out, nil)
	if !bytes.Contains(out, []byte(`"sha256:`)) {
		t.Fatalf("%s has no images: %s", repository, out)
	}
	return string(out)
}

// TestTrialMirrorChain imports a full set and twenty that build on it by one command, in any order: the destination is what a direct
// mirror makes.
func TestTrialMirrorChain(t *testing.T) {
	t.Parallel()
	s := start(t, localecr.Options{})
	const deltas = 20
	dir := t.TempDir()
	var sets []string
	for i := range deltas + 1 {
		s.putVersion(t, "src/web", i)
		if i%7 == 0 {
			s.putVersion(t, "src/db", i)
		}
		set, receipt := filepath.Join(dir, fmt.Sprint("s", i)), filepath.Join(dir, fmt.Sprint("r", i))
		export := []string{"mirror", "export", s.registry + "/src/web", s.registry + "/src/db", "--to", set, "--quiet"}
		if i > 0 {
			export = append(export, "--have", filepath.Join(dir, fmt.Sprint("r", i-1)))
		}
		s.run(export...)
		s.run("mirror", "import", set, s.registry+"/series", "--receipt", receipt, "--quiet")
		sets = append(sets, set)
	}
	shuffled := slices.Clone(sets)
	for i := range shuffled { // 8 and 21 have no common divisor
		shuffled[i] = sets[(8*i+5)%len(sets)]
	}
	all := func(to string, sets []string) []string {
		return slices.Concat([]string{"mirror", "import", "--quiet"}, sets, []string{s.registry + "/" + to})
	}
	s.run(all("chain", shuffled)...)
	s.run("mirror", "apply", s.mirrorConfig(t, "direct"), "--quiet")
	for _, repository := range []string{"src/web", "src/db"} {
		want := s.names(t, "direct/"+repository)
		for _, to := range []string{"chain/", "series/"} {
			if got := s.names(t, to+repository); got != want {
				t.Errorf("%s%s:\n%s\nnot\n%s", to, repository, got, want)
			}
		}
	}
	// One that is missing is named, and nothing is written.
	lost, err := media.ReadSet(sets[13])
	check(t, err)
	s.fails("import first the sets with these IDs: "+string(lost.ID), all("gap", slices.Delete(slices.Clone(sets), 13, 14))...)
	s.fails("", "ls", s.registry+"/gap/src/web")
	// One that is damaged is named. With a good copy, the import resumes.
	part := filepath.Join(sets[17], "images.tar")
	good, err := os.ReadFile(part)
	check(t, err)
	bad := bytes.Clone(good)
	at := bytes.Index(bad, bytesOf(600, 17))
	if at < 0 {
		t.Fatal("the set does not have its layer")
	}
	bad[at+300] ^= 1
	check(t, os.WriteFile(part, bad, 0o600))
	s.fails("s17", append([]string{"mirror", "verify"}, sets...)...)
	s.fails("s17", all("bad", shuffled)...)
	check(t, os.WriteFile(part, good, 0o600))
	s.run(all("bad", shuffled)...)
	if got, want := s.names(t, "bad/src/web"), s.names(t, "chain/src/web"); got != want {
		t.Errorf("after a damaged set:\n%s\nnot\n%s", got, want)
	}
	s.nothingLeft()
}
