package transfer

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	ggcrtypes "github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/localecr"
)

// imageLayout makes an OCI layout, by code that is not ours, with an image for
// each platform, named by it with "-" for "/". They are of OCI's media types if
// they begin with "oci:".
func imageLayout(t *testing.T, platforms ...string) (*Layout, []digest.Digest) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "images")
	p, err := layout.Write(dir, empty.Index)
	check(t, err)
	var digests []digest.Digest
	for _, name := range platforms {
		name, isOCI := strings.CutPrefix(name, "oci:")
		image := platformImage(t, name)
		if isOCI {
			image = mutate.ConfigMediaType(mutate.MediaType(image, ggcrtypes.OCIManifestSchema1), ggcrtypes.OCIConfigJSON)
		} else {
			image = mutate.ConfigMediaType(mutate.MediaType(image, ggcrtypes.DockerManifestSchema2), ggcrtypes.DockerConfigJSON)
		}
		digests = append(digests, digestOf(t, image))
		check(t, p.AppendImage(image, layout.WithAnnotations(map[string]string{ocispec.AnnotationRefName: strings.ReplaceAll(name, "/", "-")})))
	}
	return NewLayout(dir), digests
}

func references(source Source, names ...string) (additions []Addition) {
	for _, name := range names {
		additions = append(additions, Addition{Source: source, Reference: name})
	}
	return additions
}

// describe is what an index says of its entries: the first of each digest and the
// platform.
func describe(x *Index, digests ...digest.Digest) string {
	var s []string
	for _, d := range x.Entries() {
		name := "?"
		for i, known := range digests {
			if known == d.Digest {
				name = string(rune('a' + i))
			}
		}
		if p := d.Platform; p != nil {
			name += " " + p.OS + "/" + p.Architecture + p.Variant
		}
		s = append(s, name)
	}
	return strings.Join(s, ", ")
}

// TestIndexCreateCalls holds the least that the ECR API can do with: one call for
// all images, two for each config, one for the index.
func TestIndexCreateCalls(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	images, digests := imageLayout(t, "linux/amd64", "linux/arm64")
	e := w.repository("app")
	for _, tag := range []string{"linux-amd64", "linux-arm64"} {
		mustCopy(t, images, e, Options{Reference: tag, Tags: []string{tag}})
	}
	w.calls.Reset()
	x, err := NewIndex(t.Context(), e, references(nil, "linux-amd64", string(digests[1])), IndexOptions{})
	check(t, err)
	result, err := x.Put(t.Context(), nil, []string{"1"}, Options{})
	check(t, err)
	w.expectCalls(map[string]int{"BatchGetImage": 1, "GetDownloadUrlForLayer": 2, "GET /layers/{digest}": 2, "PutImage": 1})
	if got := describe(x, digests...); got != "a linux/amd64, b linux/arm64" || result.MediaType != mediaTypeDockerList || result.Copied != 0 {
		t.Errorf("%s, %+v", got, result)
	}
	// Of an index all is known.
	x, err = NewIndex(t.Context(), e, references(nil, "1"), IndexOptions{Type: IndexOCI})
	check(t, err)
	again, err := x.Put(t.Context(), nil, []string{"2"}, Options{})
	check(t, err)
	w.expectCalls(map[string]int{"BatchGetImage": 1, "PutImage": 1})
	if again.MediaType != ocispec.MediaTypeImageIndex || again.Digest == result.Digest {
		t.Errorf("%+v", again)
	}
	dst := filepath.Join(t.TempDir(), "dst")
	for _, tag := range []string{"1", "2"} {
		mustCopy(t, e, NewLayout(dst), Options{Reference: tag, Tags: []string{tag}})
	}
	validateLayout(t, dst)
}

func TestIndexCreate(t *testing.T) {
	docker, digests := imageLayout(t, "linux/amd64", "linux/arm/v7", "linux/arm/v6")
	oci, more := imageLayout(t, "oci:linux/amd64", "oci:linux/s390x")
	digests = append(digests, more...)
	_, index, _ := platformIndex(t, "linux/riscv64")
	check(t, layout.Path(oci.dir).AppendIndex(index, layout.WithAnnotations(map[string]string{ocispec.AnnotationRefName: "index"})))
	for _, tt := range []struct {
		additions []Addition
		options   IndexOptions
		want, err string
		mediaType string
	}{
		{references(nil, "linux-amd64", "linux-arm-v7", "linux-arm-v6"), IndexOptions{}, "a linux/amd64, b linux/armv7, c linux/armv6", "", mediaTypeDockerList},
		{references(nil, "linux-amd64", "linux-amd64"), IndexOptions{}, "a linux/amd64", "", mediaTypeDockerList},
		{references(nil, "linux-amd64"), IndexOptions{Annotations: map[string]string{"a": "b"}}, "a linux/amd64", "", ocispec.MediaTypeImageIndex},
		{append(references(oci, "linux-s390x"), references(nil, "linux-amd64")...), IndexOptions{}, "e linux/s390x, a linux/amd64", "", ocispec.MediaTypeImageIndex},
		{append(references(oci, "index"), references(nil, "linux-amd64")...), IndexOptions{}, "? linux/riscv64, ? unknown/unknown, a linux/amd64", "", mediaTypeDockerList},
		{append(references(oci, "linux-amd64"), references(nil, "linux-amd64")...), IndexOptions{Force: true}, "d linux/amd64, a linux/amd64", "", ocispec.MediaTypeImageIndex},
		{append(references(oci, "linux-amd64"), references(nil, "linux-amd64")...), IndexOptions{}, "", "two images are for linux/amd64: " + string(digests[3]) + " and " + string(digests[0]), ""},
		{references(oci, "linux-s390x"), IndexOptions{Type: IndexDocker}, "", "a Docker manifest list has Docker images only", ""},
		{references(nil, "linux-amd64"), IndexOptions{Type: IndexDocker, Annotations: map[string]string{"a": "b"}}, "", "a Docker manifest list has no annotations", ""},
		{references(nil, "none"), IndexOptions{}, "", "has no image none: not found", ""},
	} {
		x, err := NewIndex(t.Context(), docker, tt.additions, tt.options)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%v: %v, want %s", tt.additions, err, tt.err)
			}
			continue
		}
		check(t, err)
		first, err := x.Put(t.Context(), nil, []string{"new"}, Options{})
		check(t, err)
		if got := describe(x, digests...); got != tt.want || first.MediaType != tt.mediaType || len(first.Manifests) != len(x.Entries()) {
			t.Errorf("%s of %s, want %s of %s", got, first.MediaType, tt.want, tt.mediaType)
		}
		validateLayout(t, docker.dir)
		y, err := NewIndex(t.Context(), docker, tt.additions, tt.options)
		check(t, err)
		if second, err := y.Plan(nil, nil); err != nil || second.Digest != first.Digest {
			t.Errorf("the second time %s, %v", second.Digest, err)
		}
	}
	// Images that were copied in are in the index only, not in index.json.
	root, err := layout.ImageIndexFromPath(docker.dir)
	check(t, err)
	top, err := root.IndexManifest()
	check(t, err)
	if len(top.Manifests) != 4 {
		t.Errorf("%d entries of index.json", len(top.Manifests))
	}
}

// TestIndexFromElsewhere has images of a layout and of another repository become
// an index in ECR, which checks that all of it is there.
func TestIndexFromElsewhere(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	w.create("other", types.ImageTagMutabilityMutable)
	images, digests := imageLayout(t, "linux/amd64", "linux/arm64")
	mustCopy(t, images, w.repository("other"), Options{Reference: "linux-arm64", Tags: []string{"arm"}})
	additions := append(references(images, "linux-amd64"), references(w.repository("other"), "arm")...)
	x, err := NewIndex(t.Context(), w.repository("app"), additions, IndexOptions{})
	check(t, err)
	plan, err := x.Plan(nil, []string{"1"})
	check(t, err)
	result, err := x.Put(t.Context(), nil, []string{"1"}, Options{})
	check(t, err)
	if got := describe(x, digests...); got != "a linux/amd64, b linux/arm64" || result.Copied != 2 || result.BytesSent == 0 || plan.Digest != result.Digest || plan.Copied != 2 {
		t.Errorf("%s, %+v, plan %+v", got, result, plan)
	}
	dst := filepath.Join(t.TempDir(), "dst")
	mustCopy(t, w.repository("app"), NewLayout(dst), Options{Reference: "1"})
	validateLayout(t, dst)
}

func TestIndexArtifact(t *testing.T) {
	l, _ := imageLayout(t, "oci:linux/amd64")
	doc := []byte(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"application/x.test",` +
		`"config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":"` + string(digest.FromString("{}")) + `","size":2},"layers":[]}`)
	check(t, l.PutBlob(t.Context(), Descriptor{Digest: digest.FromString("{}"), Size: 2}, strings.NewReader("{}")))
	check(t, l.PutTagged(t.Context(), newManifest(doc, ocispec.MediaTypeImageManifest), "artifact"))
	x, err := NewIndex(t.Context(), l, references(nil, "linux-amd64", "artifact"), IndexOptions{})
	check(t, err)
	d := x.Entries()[1]
	if d.ArtifactType != "application/x.test" || d.Platform != nil {
		t.Errorf("%+v", d)
	}
	_, err = x.Put(t.Context(), nil, []string{"x"}, Options{})
	check(t, err)
}

// oddIndex is an index with fields that nobody knows.
func oddIndex(t *testing.T, l *Layout, entries ...string) string {
	t.Helper()
	doc := "{\n \"schemaVersion\": 2,\n \"x-odd\": {\"b\":1.0, \"a\": [ ]},\n \"manifests\": [\n  " + strings.Join(entries, ",\n  ") + "\n ],\n \"annotations\": {\"keep\":\"\\u003c\"}\n}\n"
	check(t, l.PutTagged(t.Context(), newManifest([]byte(doc), ocispec.MediaTypeImageIndex), "odd"))
	return doc
}

func oddEntry(t *testing.T, l *Layout, tag, rest string) string {
	t.Helper()
	m, err := l.Resolve(t.Context(), tag)
	check(t, err)
	d, err := json.Marshal(Descriptor{MediaType: m.Descriptor.MediaType, Digest: m.Descriptor.Digest, Size: m.Descriptor.Size})
	check(t, err)
	return strings.TrimSuffix(string(d), "}") + `, "x-entry":"\u003e"` + rest + "}"
}

// TestIndexEdit edits an index and compares all bytes of it.
func TestIndexEdit(t *testing.T) {
	l, digests := imageLayout(t, "oci:linux/amd64", "oci:linux/arm64", "oci:linux/s390x", "oci:unknown/unknown")
	newer, more := imageLayout(t, "oci:linux/amd64")
	amd := oddEntry(t, l, "linux-amd64", `, "platform": {"architecture":"amd64","os":"linux"}`)
	arm := oddEntry(t, l, "linux-arm64", ``)
	attestation := oddEntry(t, l, "unknown-unknown", `,"platform":{"architecture":"unknown","os":"unknown"}, "annotations":{"`+attestedAnnotation+`":"`+string(digests[0])+`"}`)
	doc := oddIndex(t, l, amd, attestation, arm)
	s390x := func(tag string) string {
		m, err := l.Resolve(t.Context(), tag)
		check(t, err)
		return `{"mediaType":"` + m.Descriptor.MediaType + `","digest":"` + string(m.Descriptor.Digest) + `","size":` + jsonOf(t, m.Descriptor.Size)
	}("linux-s390x") + `,"platform":{"architecture":"s390x","os":"linux"}}`
	name := func(s string) EntryName {
		n, err := ParseEntryName(s)
		check(t, err)
		return n
	}
	for _, tt := range []struct {
		name     string
		edit     func(x *Index) error
		old, new string
	}{
		{"nothing", func(x *Index) error { return x.Add(t.Context(), references(nil, "linux-arm64")) }, "", ""},
		{"add", func(x *Index) error { return x.Add(t.Context(), references(nil, "linux-s390x")) }, arm, arm + ",\n  " + s390x},
		{"remove with its attestation", func(x *Index) error { return x.Remove(t.Context(), []EntryName{name("linux/amd64")}) }, amd + ",\n  " + attestation + ",\n  ", ""},
		{"remove by the config's platform", func(x *Index) error { return x.Remove(t.Context(), []EntryName{name("linux/aarch64")}) }, ",\n  " + arm, ""},
		{"remove by digest", func(x *Index) error { return x.Remove(t.Context(), []EntryName{name(string(digests[3]))}) }, attestation + ",\n  ", ""},
		{"annotate", func(x *Index) error { return x.Annotate(map[string]string{"new": "1"}, []string{"none"}) }, `{"keep":"\u003c"}`, `{"keep":"\u003c","new":"1"}`},
		{"annotate an entry", func(x *Index) error {
			return x.AnnotateEntry(t.Context(), name("linux/arm64"), map[string]string{"k": "v"}, nil)
		}, arm, strings.TrimSuffix(arm, "}") + `, "annotations":{"k":"v"}}`},
		{"set a platform", func(x *Index) error {
			return x.SetPlatform(t.Context(), name("linux/arm64"), parsePlatforms(t, "linux/arm/v6")[0])
		}, arm, strings.TrimSuffix(arm, "}") + `, "platform":{"architecture":"arm","os":"linux","variant":"v6"}}`},
	} {
		x, err := OpenIndex(t.Context(), l, "odd")
		check(t, err)
		if err := tt.edit(x); err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		m, err := x.Manifest()
		check(t, err)
		want := strings.Replace(doc, tt.old, tt.new, 1)
		if got := string(m.Content); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", tt.name, got, want)
		}
	}

	// A newer image takes the place of the older and of its attestation.
	x, err := OpenIndex(t.Context(), l, "odd")
	check(t, err)
	check(t, x.Add(t.Context(), references(newer, "linux-amd64")))
	result, err := x.Put(t.Context(), nil, []string{"odd"}, Options{})
	check(t, err)
	if got := describe(x, append(digests, more...)...); got != "e linux/amd64, b" || result.Copied != 1 {
		t.Errorf("%s, %+v", got, result)
	}
	validateLayout(t, l.dir)

	// To another place it goes with its images.
	other := NewLayout(filepath.Join(t.TempDir(), "other"))
	result, err = x.Put(t.Context(), other, []string{"copy"}, Options{})
	check(t, err)
	if result.Copied != 2 {
		t.Errorf("%+v", result)
	}
	validateLayout(t, other.dir)
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	check(t, err)
	return string(data)
}

func TestIndexEditRefuses(t *testing.T) {
	dir, _, _ := platformIndex(t, "linux/amd64", "linux/arm64", "windows/amd64:10.0.1.2", "windows/amd64:10.0.2.3")
	l := NewLayout(dir)
	images, _ := imageLayout(t, "linux/amd64", "oci:linux/s390x")
	list, err := NewIndex(t.Context(), images, references(nil, "linux-amd64"), IndexOptions{})
	check(t, err)
	open := func() *Index {
		x, err := OpenIndex(t.Context(), l, "index")
		check(t, err)
		return x
	}
	names := func(s ...string) (names []EntryName) {
		for _, one := range s {
			n, err := ParseEntryName(one)
			check(t, err)
			names = append(names, n)
		}
		return names
	}
	_, notAnIndex := OpenIndex(t.Context(), images, "linux-amd64")
	for want, err := range map[string]error{
		"is an image and no index":                        notAnIndex,
		"a Docker manifest list has no annotations":       list.Annotate(map[string]string{"a": "b"}, nil),
		"a Docker manifest list has no annotations; make": list.AnnotateEntry(t.Context(), names("linux/amd64")[0], map[string]string{"a": "b"}, nil),
		"a Docker manifest list has Docker images only":   list.Add(t.Context(), references(nil, "linux-s390x")),
		"nothing would be left in the index":              open().Remove(t.Context(), names("linux/amd64", "linux/arm64", "windows/amd64")),
		"the index is for linux/amd64, linux/arm64":       open().Remove(t.Context(), names("linux/s390x")),
		"the index has no entry " + someSHA:               open().Remove(t.Context(), names(someSHA)),
		"2 entries of the index are windows/amd64":        open().AnnotateEntry(t.Context(), names("windows/amd64")[0], map[string]string{"a": "b"}, nil),
		"is for linux/arm64":                              open().SetPlatform(t.Context(), names("linux/amd64")[0], Platform{OS: "linux", Architecture: "aarch64"}),
		"two images are for linux/amd64: ":                open().Add(t.Context(), append(references(images, "linux-amd64"), references(NewLayout(dir), "index")...)),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	for _, s := range []string{"", "linux", "sha256:12", "sha512:00"} {
		if _, err := ParseEntryName(s); err == nil {
			t.Errorf("%q: no error", s)
		}
	}
}

func TestIndexImmutableTag(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	w.create("fixed", types.ImageTagMutabilityImmutable)
	images, _ := imageLayout(t, "linux/amd64", "linux/arm64")
	e := w.repository("fixed")
	put := func(names ...string) error {
		x, err := NewIndex(t.Context(), e, references(images, names...), IndexOptions{})
		check(t, err)
		_, err = x.Put(t.Context(), nil, []string{"1"}, Options{})
		return err
	}
	check(t, put("linux-amd64"))
	check(t, put("linux-amd64"))
	var conflict *ConflictError
	if err := put("linux-amd64", "linux-arm64"); !errors.As(err, &conflict) || conflict.Have == "" {
		t.Errorf("%v", err)
	}
}
