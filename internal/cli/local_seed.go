package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/ecrkit/ecrkit/internal/imagename"
	"github.com/ecrkit/ecrkit/internal/lazyregexp"
	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

// seed is a value of --seed: [REPOSITORY[:TAG]=]SOURCE.
type seed struct {
	repository string
	tag        string // "" is every tag of the source
	source     ref.Reference
}

// seedDestination is what may stand before the "=" of a seed.
var seedDestination = lazyregexp.New(`^((?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*)(?::([\w][\w.-]{0,127}))?$`)

// parseSeeds reads the values of --seed.
func (app *App) parseSeeds(values []string) ([]seed, error) {
	var seeds []seed
	for _, value := range values {
		s, source := seed{}, value
		if before, after, ok := strings.Cut(value, "="); ok {
			m := seedDestination.FindStringSubmatch(before)
			if m == nil {
				return nil, usagef("--seed %s: %q is not a repository; write REPOSITORY[:TAG]=SOURCE", value, before)
			}
			s.repository, s.tag, source = m[1], m[2], after
		}
		var err error
		if s.source, err = app.parseReference(source); err != nil {
			return nil, fmt.Errorf("--seed %s: %w", value, err)
		}
		if s.source.Path == ref.StandardStream {
			return nil, usagef("--seed %s: stdin cannot be read again by a reset; write the archive to a file", value)
		}
		if s.repository == "" {
			s.repository = repositoryOf(s.source)
		}
		if m := seedDestination.FindStringSubmatch(s.repository); m == nil || m[2] != "" {
			return nil, usagef("--seed %s: %q cannot be the name of a repository; write REPOSITORY=%s", value, s.repository, source)
		}
		seeds = append(seeds, s)
	}
	return seeds, nil
}

// repositoryOf is the repository that an image goes to by default: that of its name, or the name of the file or directory.
func repositoryOf(source ref.Reference) string {
	if source.Repository != "" {
		return strings.TrimPrefix(source.Repository, "library/")
	}
	name := filepath.Base(source.Path)
	for path.Ext(name) == ".tar" || path.Ext(name) == ".tgz" || path.Ext(name) == ".gz" {
		name = strings.TrimSuffix(name, path.Ext(name))
	}
	return strings.ToLower(name)
}

// seedServer copies images into a local ECR, by the engine that every copy uses. The policy is asked as for a copy.
func (app *App) seedServer(ctx context.Context, server *localecr.Server, seeds []seed, policy policyFlags) error {
	for _, s := range seeds {
		if err := app.seedImages(ctx, server, s, policy); err != nil {
			return fmt.Errorf("seed %s from %s: %w", s.repository, s.source, err)
		}
	}
	return nil
}

func (app *App) seedImages(ctx context.Context, server *localecr.Server, s seed, policy policyFlags) error {
	verify, err := (&trustFlags{policy: policy}).sourceVerifier(ctx, app, s.source)
	if err != nil {
		return err
	}
	source, closeSource, err := app.openSource(ctx, s.source)
	if err != nil {
		return err
	}
	defer closeSource()
	repository, err := server.Repository(ctx, s.repository)
	if err != nil {
		return err
	}
	_, listsReferrers := source.(content.ReferrerLister) // a docker archive has none
	c := copying{app: app, referrers: listsReferrers}
	images, err := c.seedsOf(ctx, source, s)
	if err != nil {
		return err
	}
	for _, image := range images {
		one := s.source
		if image.digest != "" {
			one.Digest = image.digest
		}
		options, err := c.options(one)
		if err != nil {
			return err
		}
		if verify != nil {
			options.Verify = func(ctx context.Context, _, chosen content.Manifest) error { return verify(ctx, source, chosen) }
		}
		target := &seedTarget{repository: repository, name: s.repository}
		copied := transfer.CopyAll(ctx, source, []transfer.Destination{{Target: target, Tags: image.tags}}, options)[0]
		if copied.Err != nil {
			return copied.Err
		}
		app.Messagef("ecrkit local: %s:%s is %s", s.repository, strings.Join(image.tags, ", "), copied.Result.Digest)
	}
	return nil
}

// seedsOf returns the images of a source, with their tags in the repository: the one that the reference or the value names,
// otherwise all that have tags, otherwise the only one, as latest.
func (c *copying) seedsOf(ctx context.Context, source content.Source, s seed) ([]taggedImage, error) {
	if s.tag != "" {
		return []taggedImage{{tags: []string{s.tag}}}, nil
	}
	if s.source.Tag != "" {
		return []taggedImage{{tags: []string{imagename.TagOfName(s.source.Tag)}}}, nil
	}
	if _, lists := source.(content.TagLister); lists && s.source.Digest == "" && !s.source.IsRepository() {
		images, err := c.tagsOf(ctx, source, false)
		if err != nil || len(images) > 0 {
			for _, image := range images {
				for i, tag := range image.tags {
					image.tags[i] = imagename.TagOfName(tag)
				}
			}
			return images, err
		}
	}
	return []taggedImage{{tags: []string{"latest"}}}, nil
}

// seedTarget is a repository of a local ECR in this process. Copies to it make no call, and so faults, quotas and the audit
// log see nothing of them.
type seedTarget struct {
	repository *localecr.Repository
	name       string
}

var _ content.Target = (*seedTarget)(nil)

func (t *seedTarget) String() string { return t.name }

// MissingBlobs implements [content.BlobChecker].
func (t *seedTarget) MissingBlobs(ctx context.Context, blobs []content.Descriptor) ([]content.Descriptor, error) {
	digests := make([]string, len(blobs))
	for i, d := range blobs {
		digests[i] = d.Digest.String()
	}
	missing, err := t.repository.MissingLayers(ctx, digests)
	if err != nil {
		return nil, err
	}
	lacks := map[string]bool{}
	for _, digest := range missing {
		lacks[digest] = true
	}
	var out []content.Descriptor
	for _, d := range blobs {
		if lacks[d.Digest.String()] {
			out = append(out, d)
		}
	}
	return out, nil
}

// PutBlob implements [content.BlobWriter].
func (t *seedTarget) PutBlob(ctx context.Context, d content.Descriptor, r io.Reader) error {
	return t.repository.PutLayer(ctx, d.Digest.String(), r)
}

// PutManifest implements [content.ManifestWriter].
func (t *seedTarget) PutManifest(ctx context.Context, m content.Manifest) error {
	return t.PutTagged(ctx, m, "")
}

// PutTagged implements [content.Tagger].
func (t *seedTarget) PutTagged(ctx context.Context, m content.Manifest, tag string) error {
	err := t.repository.PutManifest(ctx, tag, m.Descriptor.MediaType, m.Content)
	var immutable *types.ImageTagAlreadyExistsException
	if errors.As(err, &immutable) {
		return fmt.Errorf("%w: %w", content.ErrConflict, err)
	}
	return err
}
