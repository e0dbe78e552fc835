package index

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	ggcrlayout "github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	ggcrtypes "github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/internal/imagetree"
	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// imageLayout makes an OCI layout, by code that is not ours, with an image for
// each platform, named by it with "-" for "/". They are of OCI's media types if
// they begin with "oci:".
func imageLayout(t *testing.T, platforms ...string) (*layout.Layout, []digest.Digest) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "images")
	p, err := ggcrlayout.Write(dir, empty.Index)
	fixture.Check(t, err)
	var digests []digest.Digest
	for _, name := range platforms {
		name, isOCI := strings.CutPrefix(name, "oci:")
		image := fixture.PlatformImage(t, name)
		if isOCI {
			image = mutate.ConfigMediaType(mutate.MediaType(image, ggcrtypes.OCIManifestSchema1), ggcrtypes.OCIConfigJSON)
		} else {
			image = mutate.ConfigMediaType(mutate.MediaType(image, ggcrtypes.DockerManifestSchema2), ggcrtypes.DockerConfigJSON)
		}
		digests = append(digests, fixture.DigestOf(t, image))
		fixture.Check(t, p.AppendImage(image, ggcrlayout.WithAnnotations(map[string]string{ocispec.AnnotationRefName: strings.ReplaceAll(name, "/", "-")})))
	}
	return layout.New(dir), digests
}

func references(source content.Source, names ...string) (additions []Addition) {
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
		mustCopy(t, images, e, transfer.Options{Reference: tag, Tags: []string{tag}})
	}
	w.Calls.Reset()
	x, err := New(t.Context(), e, references(nil, "linux-amd64", string(digests[1])), Options{})
	fixture.Check(t, err)
	result, err := x.Put(t.Context(), nil, []string{"1"}, transfer.Options{})
	fixture.Check(t, err)
	w.ExpectCalls(map[string]int{"BatchGetImage": 1, "GetDownloadUrlForLayer": 2, "GET /layers/{digest}": 2, "PutImage": 1})
	if got := describe(x, digests...); got != "a linux/amd64, b linux/arm64" || result.MediaType != content.MediaTypeDockerList || result.Copied != 0 {
		t.Errorf("%s, %+v", got, result)
	}
	// Of an index all is known.
	x, err = New(t.Context(), e, references(nil, "1"), Options{Type: OCI})
	fixture.Check(t, err)
	again, err := x.Put(t.Context(), nil, []string{"2"}, transfer.Options{})
	fixture.Check(t, err)
	w.ExpectCalls(map[string]int{"BatchGetImage": 1, "PutImage": 1})
	if again.MediaType != ocispec.MediaTypeImageIndex || again.Digest == result.Digest {
		t.Errorf("%+v", again)
	}
	dst := filepath.Join(t.TempDir(), "dst")
	for _, tag := range []string{"1", "2"} {
		mustCopy(t, e, layout.New(dst), transfer.Options{Reference: tag, Tags: []string{tag}})
	}
	fixture.ValidateLayout(t, dst)
}

func TestIndexCreate(t *testing.T) {
	docker, digests := imageLayout(t, "linux/amd64", "linux/arm/v7", "linux/arm/v6")
	oci, more := imageLayout(t, "oci:linux/amd64", "oci:linux/s390x")
	digests = append(digests, more...)
	_, index, _ := fixture.PlatformIndex(t, "linux/riscv64")
	fixture.Check(t, ggcrlayout.Path(oci.Dir()).AppendIndex(index, ggcrlayout.WithAnnotations(map[string]string{ocispec.AnnotationRefName: "index"})))
	for _, tt := range []struct {
		additions []Addition
		options   Options
		want, err string
		mediaType string
	}{
		{references(nil, "linux-amd64", "linux-arm-v7", "linux-arm-v6"), Options{}, "a linux/amd64, b linux/armv7, c linux/armv6", "", content.MediaTypeDockerList},
		{references(nil, "linux-amd64", "linux-amd64"), Options{}, "a linux/amd64", "", content.MediaTypeDockerList},
		{references(nil, "linux-amd64"), Options{Annotations: map[string]string{"a": "b"}}, "a linux/amd64", "", ocispec.MediaTypeImageIndex},
		{append(references(oci, "linux-s390x"), references(nil, "linux-amd64")...), Options{}, "e linux/s390x, a linux/amd64", "", ocispec.MediaTypeImageIndex},
		{append(references(oci, "index"), references(nil, "linux-amd64")...), Options{}, "? linux/riscv64, ? unknown/unknown, a linux/amd64", "", content.MediaTypeDockerList},
		{append(references(oci, "linux-amd64"), references(nil, "linux-amd64")...), Options{Force: true}, "d linux/amd64, a linux/amd64", "", ocispec.MediaTypeImageIndex},
		{append(references(oci, "linux-amd64"), references(nil, "linux-amd64")...), Options{}, "", "two images for the same platform, linux/amd64: " + string(digests[3]) + " and " + string(digests[0]), ""},
		{references(oci, "linux-s390x"), Options{Type: Docker}, "", "a Docker manifest list takes Docker images only", ""},
		{references(nil, "linux-amd64"), Options{Type: Docker, Annotations: map[string]string{"a": "b"}}, "", "a Docker manifest list has no annotations", ""},
		{references(nil, "none"), Options{}, "", "has no image none: not found", ""},
	} {
		x, err := New(t.Context(), docker, tt.additions, tt.options)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%v: %v, want %s", tt.additions, err, tt.err)
			}
			continue
		}
		fixture.Check(t, err)
		first, err := x.Put(t.Context(), nil, []string{"new"}, transfer.Options{})
		fixture.Check(t, err)
		if got := describe(x, digests...); got != tt.want || first.MediaType != tt.mediaType || len(first.Manifests) != len(x.Entries()) {
			t.Errorf("%s of %s, want %s of %s", got, first.MediaType, tt.want, tt.mediaType)
		}
		fixture.ValidateLayout(t, docker.Dir())
		y, err := New(t.Context(), docker, tt.additions, tt.options)
		fixture.Check(t, err)
		if second, err := y.Plan(nil, nil); err != nil || second.Digest != first.Digest {
			t.Errorf("the second time %s, %v", second.Digest, err)
		}
	}
	// Images that were copied in are in the index only, not in index.json.
	root, err := ggcrlayout.ImageIndexFromPath(docker.Dir())
	fixture.Check(t, err)
	top, err := root.IndexManifest()
	fixture.Check(t, err)
	if len(top.Manifests) != 4 {
		t.Errorf("%d entries of index.json", len(top.Manifests))
	}
}

// TestIndexFromElsewhere has images of a layout and of another repository become
// an index in ECR, which checks that all of it is there.
func TestIndexFromElsewhere(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	w.Create("other", types.ImageTagMutabilityMutable)
	images, digests := imageLayout(t, "linux/amd64", "linux/arm64")
	mustCopy(t, images, w.repository("other"), transfer.Options{Reference: "linux-arm64", Tags: []string{"arm"}})
	additions := append(references(images, "linux-amd64"), references(w.repository("other"), "arm")...)
	x, err := New(t.Context(), w.repository("app"), additions, Options{})
	fixture.Check(t, err)
	plan, err := x.Plan(nil, []string{"1"})
	fixture.Check(t, err)
	result, err := x.Put(t.Context(), nil, []string{"1"}, transfer.Options{})
	fixture.Check(t, err)
	if got := describe(x, digests...); got != "a linux/amd64, b linux/arm64" || result.Copied != 2 || result.BytesSent == 0 || plan.Digest != result.Digest || plan.Copied != 2 {
		t.Errorf("%s, %+v, plan %+v", got, result, plan)
	}
	dst := filepath.Join(t.TempDir(), "dst")
	mustCopy(t, w.repository("app"), layout.New(dst), transfer.Options{Reference: "1"})
	fixture.ValidateLayout(t, dst)
}

func TestIndexArtifact(t *testing.T) {
	l, _ := imageLayout(t, "oci:linux/amd64")
	doc := []byte(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"application/x.test",` +
		`"config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":"` + string(digest.FromString("{}")) + `","size":2},"layers":[]}`)
	fixture.Check(t, l.PutBlob(t.Context(), content.Descriptor{Digest: digest.FromString("{}"), Size: 2}, strings.NewReader("{}")))
	fixture.Check(t, l.PutTagged(t.Context(), content.NewManifest(doc, ocispec.MediaTypeImageManifest), "artifact"))
	x, err := New(t.Context(), l, references(nil, "linux-amd64", "artifact"), Options{})
	fixture.Check(t, err)
	d := x.Entries()[1]
	if d.ArtifactType != "application/x.test" || d.Platform != nil {
		t.Errorf("%+v", d)
	}
	_, err = x.Put(t.Context(), nil, []string{"x"}, transfer.Options{})
	fixture.Check(t, err)
}

// oddIndex is an index with fields that nobody knows.
func oddIndex(t *testing.T, l *layout.Layout, entries ...string) string {
	t.Helper()
	doc := "{\n \"schemaVersion\": 2,\n \"x-odd\": {\"b\":1.0, \"a\": [ ]},\n \"manifests\": [\n  " + strings.Join(entries, ",\n  ") + "\n ],\n \"annotations\": {\"keep\":\"\\u003c\"}\n}\n"
	fixture.Check(t, l.PutTagged(t.Context(), content.NewManifest([]byte(doc), ocispec.MediaTypeImageIndex), "odd"))
	return doc
}

func oddEntry(t *testing.T, l *layout.Layout, tag, rest string) string {
	t.Helper()
	m, err := l.Resolve(t.Context(), tag)
	fixture.Check(t, err)
	d, err := json.Marshal(content.Descriptor{MediaType: m.Descriptor.MediaType, Digest: m.Descriptor.Digest, Size: m.Descriptor.Size})
	fixture.Check(t, err)
	return strings.TrimSuffix(string(d), "}") + `, "x-entry":"\u003e"` + rest + "}"
}

// TestIndexEdit edits an index and compares all bytes of it.
func TestIndexEdit(t *testing.T) {
	l, digests := imageLayout(t, "oci:linux/amd64", "oci:linux/arm64", "oci:linux/s390x", "oci:unknown/unknown")
	newer, more := imageLayout(t, "oci:linux/amd64")
	amd := oddEntry(t, l, "linux-amd64", `, "platform": {"architecture":"amd64","os":"linux"}`)
	arm := oddEntry(t, l, "linux-arm64", ``)
	attestation := oddEntry(t, l, "unknown-unknown", `,"platform":{"architecture":"unknown","os":"unknown"}, "annotations":{"`+imagetree.AnnotationAttests+`":"`+string(digests[0])+`"}`)
	doc := oddIndex(t, l, amd, attestation, arm)
	s390x := func(tag string) string {
		m, err := l.Resolve(t.Context(), tag)
		fixture.Check(t, err)
		return `{"mediaType":"` + m.Descriptor.MediaType + `","digest":"` + string(m.Descriptor.Digest) + `","size":` + jsonOf(t, m.Descriptor.Size)
	}("linux-s390x") + `,"platform":{"architecture":"s390x","os":"linux"}}`
	name := func(s string) EntryName {
		n, err := ParseEntryName(s)
		fixture.Check(t, err)
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
			return x.SetPlatform(t.Context(), name("linux/arm64"), fixture.ParsePlatforms(t, "linux/arm/v6")[0])
		}, arm, strings.TrimSuffix(arm, "}") + `, "platform":{"architecture":"arm","os":"linux","variant":"v6"}}`},
	} {
		x, err := Open(t.Context(), l, "odd")
		fixture.Check(t, err)
		if err := tt.edit(x); err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		m, err := x.Manifest()
		fixture.Check(t, err)
		want := strings.Replace(doc, tt.old, tt.new, 1)
		if got := string(m.Content); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", tt.name, got, want)
		}
	}

	// A newer image takes the place of the older and of its attestation.
	x, err := Open(t.Context(), l, "odd")
	fixture.Check(t, err)
	fixture.Check(t, x.Add(t.Context(), references(newer, "linux-amd64")))
	result, err := x.Put(t.Context(), nil, []string{"odd"}, transfer.Options{})
	fixture.Check(t, err)
	if got := describe(x, append(digests, more...)...); got != "e linux/amd64, b" || result.Copied != 1 {
		t.Errorf("%s, %+v", got, result)
	}
	fixture.ValidateLayout(t, l.Dir())

	// To another place it goes with its images.
	other := layout.New(filepath.Join(t.TempDir(), "other"))
	result, err = x.Put(t.Context(), other, []string{"copy"}, transfer.Options{})
	fixture.Check(t, err)
	if result.Copied != 2 {
		t.Errorf("%+v", result)
	}
	fixture.ValidateLayout(t, other.Dir())
}

// TestIndexAddPresent adds an image that is one of two for its platform, as docker buildx imagetools create --append leaves
// them: clients would take the other one.
func TestIndexAddPresent(t *testing.T) {
	t.Parallel()
	l, digests := imageLayout(t, "oci:linux/amd64", "oci:linux/arm64", "oci:unknown/unknown")
	fixed, more := imageLayout(t, "oci:linux/arm64")
	_, err := transfer.Copy(t.Context(), fixed, l, transfer.Options{Reference: "linux-arm64", Tags: []string{"fixed"}})
	fixture.Check(t, err)
	const arm64 = `,"platform":{"architecture":"arm64","os":"linux"}`
	amd := oddEntry(t, l, "linux-amd64", `,"platform":{"architecture":"amd64","os":"linux"}`)
	old, newer := oddEntry(t, l, "linux-arm64", arm64), oddEntry(t, l, "fixed", arm64)
	attestation := oddEntry(t, l, "unknown-unknown", `,"platform":{"architecture":"unknown","os":"unknown"},"annotations":{"`+imagetree.AnnotationAttests+`":"`+string(digests[1])+`"}`)
	for name, order := range map[string][]string{"behind": {amd, old, newer, attestation}, "before": {newer, attestation, amd, old}} {
		oddIndex(t, l, order...)
		x, err := Open(t.Context(), l, "odd")
		fixture.Check(t, err)
		fixture.Check(t, x.Add(t.Context(), references(nil, "fixed")))
		want := map[string]string{"behind": "a linux/amd64, d linux/arm64", "before": "d linux/arm64, a linux/amd64"}[name]
		if got := describe(x, append(digests, more...)...); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	fixture.Check(t, err)
	return string(data)
}

func TestIndexEditRefuses(t *testing.T) {
	dir, _, _ := fixture.PlatformIndex(t, "linux/amd64", "linux/arm64", "windows/amd64:10.0.1.2", "windows/amd64:10.0.2.3")
	l := layout.New(dir)
	images, _ := imageLayout(t, "linux/amd64", "oci:linux/s390x")
	list, err := New(t.Context(), images, references(nil, "linux-amd64"), Options{})
	fixture.Check(t, err)
	open := func() *Index {
		x, err := Open(t.Context(), l, "index")
		fixture.Check(t, err)
		return x
	}
	names := func(s ...string) (names []EntryName) {
		for _, one := range s {
			n, err := ParseEntryName(one)
			fixture.Check(t, err)
			names = append(names, n)
		}
		return names
	}
	_, notAnIndex := Open(t.Context(), images, "linux-amd64")
	for want, err := range map[string]error{
		"is an image, not an index":                                notAnIndex,
		"a Docker manifest list has no annotations":                list.Annotate(map[string]string{"a": "b"}, nil),
		"not supported: a Docker manifest list has no annotations": list.AnnotateEntry(t.Context(), names("linux/amd64")[0], map[string]string{"a": "b"}, nil),
		"a Docker manifest list takes Docker images only":          list.Add(t.Context(), references(nil, "linux-s390x")),
		"nothing would be left in the index":                       open().Remove(t.Context(), names("linux/amd64", "linux/arm64", "windows/amd64")),
		"the index is for linux/amd64, linux/arm64":                open().Remove(t.Context(), names("linux/s390x")),
		"the index has no entry " + someSHA:                        open().Remove(t.Context(), names(someSHA)),
		"2 entries of the index are windows/amd64":                 open().AnnotateEntry(t.Context(), names("windows/amd64")[0], map[string]string{"a": "b"}, nil),
		"is for linux/arm64":                                       open().SetPlatform(t.Context(), names("linux/amd64")[0], content.Platform{OS: "linux", Architecture: "aarch64"}),
		"two images for the same platform, linux/amd64: ":          open().Add(t.Context(), append(references(images, "linux-amd64"), references(layout.New(dir), "index")...)),
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
	w.Create("fixed", types.ImageTagMutabilityImmutable)
	images, _ := imageLayout(t, "linux/amd64", "linux/arm64")
	e := w.repository("fixed")
	put := func(names ...string) error {
		x, err := New(t.Context(), e, references(images, names...), Options{})
		fixture.Check(t, err)
		_, err = x.Put(t.Context(), nil, []string{"1"}, transfer.Options{})
		return err
	}
	fixture.Check(t, put("linux-amd64"))
	fixture.Check(t, put("linux-amd64"))
	var conflict *content.ConflictError
	if err := put("linux-amd64", "linux-arm64"); !errors.As(err, &conflict) || conflict.Have == "" {
		t.Errorf("%v", err)
	}
}
