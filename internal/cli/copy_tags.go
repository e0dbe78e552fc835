package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dustin/go-humanize/english"
	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/ecrkit/ecrkit/internal/imagename"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

// resolvedAtOnce is for how many tags at once it is asked what they name, where each is a request.
const resolvedAtOnce = 8

// taggedImage is an image with the tags that name it.
type taggedImage struct {
	digest digest.Digest
	tags   []string
}

// allTagsFlags are the flags of `ecrkit copy --all-tags`.
type allTagsFlags struct {
	all    bool
	prefix string
	force  bool
}

func (f *allTagsFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVar(&f.all, "all-tags", false, "copy every tag of SRC")
	flags.StringVar(&f.prefix, "tag-prefix", "", "with --all-tags: put `PREFIX` before the tags in DST")
	flags.BoolVar(&f.force, "force", false, "with --all-tags: move tags of a layout or archive that name other images")
}

func (f *allTagsFlags) check() error {
	switch {
	case !f.all && (f.prefix != "" || f.force):
		return usagef("--tag-prefix and --force belong to --all-tags")
	case f.prefix != "" && !content.IsTag(f.prefix):
		return usagef("--tag-prefix: %q cannot begin a tag", f.prefix)
	}
	return nil
}

// name is what an image with a tag is called in dst. Tags made of a digest belong to that
// image, by whatever name. A layout can have names in full, a registry only their tags.
func (f *allTagsFlags) name(tag string, dst ref.Reference) (string, error) {
	if _, _, ok := content.ParseDigestTag(tag); ok {
		return tag, nil
	}
	short := imagename.TagOfName(tag)
	name := strings.TrimSuffix(tag, short) + f.prefix + short
	if dst.Kind != ref.KindLayout && dst.Kind != ref.KindArchive {
		name = f.prefix + short
	}
	if short == "" {
		short = tag // which has no tag in it, and is named as it is
	}
	if err := content.CheckTag(f.prefix + short); err != nil {
		return "", usagef("%w; copy its image by the digest, and name the tag that it is to have", err)
	}
	return name, nil
}

// copyTags copies every tag of src to dst.
func (c *copying) copyTags(ctx context.Context, src, dst ref.Reference, flags allTagsFlags) error {
	for _, r := range []ref.Reference{src, dst} {
		if r.Tag != "" || r.Digest != "" {
			return usagef("--all-tags copies all images of a repository, and %s names one", r)
		}
	}
	defer c.app.limitMemory()()
	trust, err := c.trust.prepare(ctx, c.app, src, []ref.Reference{dst}, c.publishes)
	if err != nil {
		return err
	}
	gate, err := c.scans.prepare(c.app, []ref.Reference{dst})
	if err != nil {
		return err
	}
	results, err := c.files.open(c.app)
	if err != nil {
		return err
	}
	defer results.discard()
	source, closeSource, err := c.app.openSource(ctx, src)
	if err != nil {
		return err
	}
	defer closeSource()
	images, err := c.tagsOf(ctx, source, trust.active())
	if err != nil {
		return err
	}
	if len(images) == 0 {
		return fmt.Errorf("%s has no tags: %w", src, content.ErrNotFound)
	}
	c.collects = !trust.active() && !c.dryRun
	var outcomes []copyOutcome
	taken := map[string]digest.Digest{}
	var interrupted error
	var known content.Source
	current, ahead := 0, 0 // images: of the copy, and of the next look at layers
	c.checks = transfer.NewBlobChecks(func(ctx context.Context) ([]content.Descriptor, bool) {
		ahead = max(ahead, current+1)
		if known == nil || ahead >= min(len(images), current-current%readAtOnce+readAtOnce) {
			return nil, false
		}
		ahead++
		return c.blobs(ctx, source, known, src, images[ahead-1].digest)
	})
	for i, image := range images {
		current = i
		if i%readAtOnce == 0 {
			known = readAhead(ctx, source, images[i:min(i+readAtOnce, len(images))])
		}
		if err := ctx.Err(); err != nil {
			interrupted = fmt.Errorf("%s: %d of %s were not copied: %w", src, len(images)-i, english.Plural(len(images), "image", ""), err)
			break
		}
		var dsts []ref.Reference
		for _, tag := range image.tags {
			tagged := dst
			if tagged.Tag, err = flags.name(tag, dst); err != nil {
				return errors.Join(err, c.finishCollected(ctx))
			}
			if other, taken := taken[tagged.Tag]; taken && other != image.digest {
				err := fmt.Errorf("%w: %s would name %s and %s; copy them one by one", content.ErrConflict, tagged, other, image.digest)
				return errors.Join(err, c.finishCollected(ctx))
			}
			taken[tagged.Tag] = image.digest
			dsts = append(dsts, tagged)
		}
		one := src
		one.Digest = image.digest
		options, err := c.options(one)
		if err != nil {
			return errors.Join(err, c.finishCollected(ctx))
		}
		options.KeepTags, options.Manifests = !flags.force, known
		some, err := c.run(ctx, "copied", source, dsts, options, trust, gate)
		if err != nil {
			return errors.Join(err, c.finishCollected(ctx))
		}
		outcomes = append(outcomes, some...)
	}
	if err := c.finishCollected(ctx); err != nil {
		return errors.Join(interrupted, err)
	}
	if len(outcomes) == 0 {
		return interrupted
	}
	return errors.Join(interrupted, c.end("copied", results, outcomes, trust, gate))
}

// blobs returns the blobs of an image without its referrers, of which the manifests are in known.
func (c *copying) blobs(ctx context.Context, source, known content.Source, src ref.Reference, image digest.Digest) ([]content.Descriptor, bool) {
	src.Digest = image
	options, err := c.options(src)
	if err != nil {
		return nil, false
	}
	options.Manifests, options.Referrers = known, false
	contents, err := transfer.ReadContents(ctx, source, options)
	return contents.Blobs, err == nil // an error is reported when the image is copied
}

// tagsOf finds out which images have tags: in the order of the first tag of each. With
// --referrers what is attached to an image by a tag comes with that image, and is none
// of its own: copied as one, it would replace signatures that DST has. Where images are
// verified or signed it is left out without --referrers: it is itself not signed, and
// needs not be. A list of referrers, under the tag sha256-HEX, is no image in any case: clients
// keep it, and where it arrived it would replace the list of what DST has.
func (c *copying) tagsOf(ctx context.Context, source content.Source, trusting bool) ([]taggedImage, error) {
	lister, ok := source.(content.TagLister)
	if !ok {
		return nil, usagef("%s does not list tags", source)
	}
	tags, err := lister.Tags(ctx)
	if err != nil {
		return nil, err
	}
	var lists, signatures int
	tags = slices.DeleteFunc(tags, func(tag string) bool {
		_, kind, ok := content.ParseDigestTag(tag)
		switch {
		case !ok:
			return false
		case kind == content.DigestTagReferrers:
			lists++
		case c.referrers || trusting:
			signatures++
		default:
			return false
		}
		return true
	})
	if signatures > 0 && !c.referrers {
		c.app.Messagef("left out: %s of signatures and attestations; --referrers copies them with their images", english.Plural(signatures, "tag", ""))
	}
	if lists > 0 && !c.referrers {
		c.app.Messagef("left out: %s, tagged sha256-HEX; --referrers copies what they name with their images", english.Plural(lists, "list of referrers", "lists of referrers"))
	}
	var digests []digest.Digest
	for some := range slices.Chunk(tags, readAtOnce) {
		found, err := resolveTags(ctx, source, some)
		if err != nil {
			return nil, err
		}
		digests = append(digests, found...)
	}
	var images []taggedImage
	places := map[digest.Digest]int{}
	for i, tag := range tags {
		at, known := places[digests[i]]
		if !known {
			at = len(images)
			places[digests[i]] = at
			images = append(images, taggedImage{digest: digests[i]})
		}
		images[at].tags = append(images[at].tags, tag)
	}
	return images, nil
}

// resolveTags returns what each of the tags names.
func resolveTags(ctx context.Context, source content.Source, tags []string) ([]digest.Digest, error) {
	digests := make([]digest.Digest, len(tags))
	if all, ok := source.(content.BatchResolver); ok {
		read, err := all.ResolveAll(ctx, tags)
		if err == nil {
			for i, m := range read {
				digests[i] = m.Descriptor.Digest
			}
			return digests, nil
		}
		if !errors.Is(err, content.ErrUnsupported) {
			return nil, err
		}
	} // too large together
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(resolvedAtOnce)
	for i, tag := range tags {
		group.Go(func() error {
			m, err := source.Resolve(ctx, tag)
			digests[i] = m.Descriptor.Digest
			return err
		})
	}
	return digests, group.Wait()
}
