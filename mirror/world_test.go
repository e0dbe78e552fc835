package mirror_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/localecr"
	transferecr "github.com/ecrkit/ecrkit/transfer/ecr"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

// world is a local ECR with what the tests put into it, and a client that looks at it beside ecrkit.
type world struct {
	*localecr.Server
	client *ecr.Client
}

func newWorld(t *testing.T) *world {
	t.Helper()
	srv, err := localecr.New(localecr.Options{})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start(t)
	return &world{Server: srv, client: ecr.NewFromConfig(srv.AWSConfig())}
}

// opener opens the repositories, as a program does that begins.
func (w *world) opener(t *testing.T) *ref.Repositories {
	t.Helper()
	mapping, err := auth.ParseMapping(w.Registry + "=000000000000.us-east-1")
	if err != nil {
		t.Fatal(err)
	}
	registries := auth.Registries{Mapping: mapping}
	o := &ref.Repositories{
		Opener: &ref.Opener{Registries: registries, AWS: func(context.Context, auth.Registry) (aws.Config, error) { return w.AWSConfig(), nil }},
		Configure: func(r *transferecr.Repository) {
			r.Create, r.Limits = new(transferecr.Settings), new(transferecr.Limits)
		}, // this server has no quotas
	}
	o.Opener.Tokens = &auth.Tokens{Minter: auth.Minter{AWS: auth.AWS{Registries: registries}}}
	return o
}

// repository opens a repository to store images in it; it is created.
func (w *world) repository(t *testing.T, name string) *localecr.Repository {
	t.Helper()
	r, err := w.Repository(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// putImage stores an image of one layer, the same one for the same name. An image without a platform is a referrer.
func putImage(t *testing.T, r *localecr.Repository, tag, name string, platform *ocispec.Platform, subject *ocispec.Descriptor) ocispec.Descriptor {
	t.Helper()
	blob := func(mediaType, text string) ocispec.Descriptor {
		d := ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromString(text), Size: int64(len(text))}
		if err := r.PutLayer(t.Context(), string(d.Digest), strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
		return d
	}
	config := fmt.Sprintf(`{"name":%q,"rootfs":{"type":"layers"}}`, name)
	if platform != nil {
		config = fmt.Sprintf(`{"name":%q,"os":%q,"architecture":%q,"rootfs":{"type":"layers"}}`, name, platform.OS, platform.Architecture)
	}
	m := ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest, Config: blob(ocispec.MediaTypeImageConfig, config),
		Layers: []ocispec.Descriptor{blob(ocispec.MediaTypeImageLayer, "layer of "+name)}, Subject: subject,
	}
	if subject != nil {
		m.ArtifactType = "application/vnd.example.note"
	}
	d := putManifest(t, r, tag, m.MediaType, m)
	d.Platform = platform
	return d
}

// putIndex stores an index of two images.
func putIndex(t *testing.T, r *localecr.Repository, tag, name string) ocispec.Descriptor {
	t.Helper()
	index := ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex}
	for _, architecture := range []string{"amd64", "arm64", "s390x"} {
		index.Manifests = append(index.Manifests, putImage(t, r, "", name+" "+architecture, &ocispec.Platform{OS: "linux", Architecture: architecture}, nil))
	}
	return putManifest(t, r, tag, index.MediaType, index)
}

func putManifest(t *testing.T, r *localecr.Repository, tag, mediaType string, manifest any) ocispec.Descriptor {
	t.Helper()
	data, err := json.Marshal(manifest)
	if err != nil {
		t.Fatal(err)
	}
	d := ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
	if err := r.PutManifest(t.Context(), tag, mediaType, bytes.Clone(data)); err != nil && !strings.Contains(err.Error(), "ImageAlreadyExists") {
		t.Fatal(err)
	}
	return d
}

// contents are the repositories of a registry under a prefix, as the AWS SDK lists them.
type contents map[string]*repositoryContents

type repositoryContents struct {
	tags      map[string]string // digests
	images    map[string]bool
	referrers map[string]bool // those of the images that have a subject, or a tag made of a digest
}

func (w *world) contents(t *testing.T, prefix string) contents {
	t.Helper()
	all := contents{}
	for pages := ecr.NewDescribeRepositoriesPaginator(w.client, nil); pages.HasMorePages(); {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Repositories {
			if strings.HasPrefix(*r.RepositoryName, prefix) {
				all[*r.RepositoryName] = w.images(t, *r.RepositoryName)
			}
		}
	}
	return all
}

func (w *world) images(t *testing.T, name string) *repositoryContents {
	t.Helper()
	c := &repositoryContents{tags: map[string]string{}, images: map[string]bool{}, referrers: map[string]bool{}}
	for _, image := range w.details(t, name) {
		c.images[*image.ImageDigest] = true
		if image.SubjectManifestDigest != nil || slices.ContainsFunc(image.ImageTags, isDigestTag) {
			c.referrers[*image.ImageDigest] = true
		}
		for _, tag := range image.ImageTags {
			c.tags[tag] = *image.ImageDigest
		}
	}
	return c
}

func (w *world) details(t *testing.T, name string) (all []types.ImageDetail) {
	t.Helper()
	for pages := ecr.NewDescribeImagesPaginator(w.client, &ecr.DescribeImagesInput{RepositoryName: &name}); pages.HasMorePages(); {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page.ImageDetails...)
	}
	return all
}

func isDigestTag(tag string) bool { return strings.HasPrefix(tag, "sha256-") }

// removeTag removes a tag; an image without another one goes too.
func (w *world) removeTag(t *testing.T, repository, tag string) {
	t.Helper()
	_, err := w.client.BatchDeleteImage(t.Context(), &ecr.BatchDeleteImageInput{RepositoryName: &repository, ImageIds: []types.ImageIdentifier{{ImageTag: &tag}}})
	if err != nil {
		t.Fatal(err)
	}
}

// difference lists what becomes of a registry, an entry for each change, sorted.
func difference(before, after contents) (changes []string) {
	for name, now := range after {
		had := before[name]
		if had == nil {
			changes = append(changes, "create "+name)
			had = &repositoryContents{}
		}
		for tag, d := range now.tags {
			switch old := had.tags[tag]; {
			case isDigestTag(tag) || old == d:
			case old == "":
				changes = append(changes, fmt.Sprintf("add %s:%s %s", name, tag, d))
			default:
				changes = append(changes, fmt.Sprintf("move %s:%s %s %s", name, tag, old, d))
			}
		}
		for tag, d := range had.tags {
			if now.tags[tag] == "" {
				changes = append(changes, fmt.Sprintf("delete %s:%s %s", name, tag, d))
			}
		}
		for _, d := range slices.Sorted(maps.Keys(had.images)) {
			if !now.images[d] {
				changes = append(changes, fmt.Sprintf("delete %s %s", name, d))
			}
		}
		referrers := 0
		for d := range now.referrers {
			if !had.images[d] {
				referrers++
			}
		}
		if referrers > 0 {
			changes = append(changes, fmt.Sprintf("add %s %d referrers", name, referrers))
		}
	}
	for name := range before {
		if after[name] == nil {
			changes = append(changes, "delete "+name)
		}
	}
	slices.Sort(changes)
	return changes
}
