package media

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/ecrkit/ecrkit/mirror"
	"github.com/ecrkit/ecrkit/mirror/internal/manifestcache"
	"github.com/ecrkit/ecrkit/mirror/internal/memo"
	"github.com/ecrkit/ecrkit/mirror/inventory"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// MinPartSize is the smallest size of a part, in bytes.
const MinPartSize = 1 << 20

// ExportOptions are how a set is written.
type ExportOptions struct {
	mirror.Options
	// PartSize is the size of the parts of the tar, in bytes; the last one may be smaller. 0 is one part.
	PartSize int64
	// Have are inventories of the destination. Blobs that it has are left out, and so are the manifests of images that it has as a
	// whole. The set can be imported only where they are.
	Have []inventory.Inventory
	// Delta, if not nil, replaces layers by deltas against what the inventories have.
	Delta *DeltaOptions
	// Parity is the share of the set, from 0 to 1, that can be lost in one piece and rebuilt from files with
	// parity. 0 is no parity.
	Parity float64
	// Sign, if not nil, returns the signature of the description of a set in one file. That of a set in a
	// directory is signed by its caller, see [SignatureFile].
	Sign func(ctx context.Context, set []byte) ([]byte, error)
	// SignatureFile is what Sign returns: [SignatureFile], which is the default, or [MinisignFile].
	SignatureFile string
}

// signatureFile is the name of the signature in one file, "" if it is not signed.
func (o ExportOptions) signatureFile() string {
	if o.Sign == nil {
		return ""
	}
	return cmp.Or(o.SignatureFile, SignatureFile)
}

// Export writes the images that a configuration selects into dir, as a set. Destinations of the
// configuration do not count. After a kill or an error, the next export of the same images resumes. If dir
// has the set already, nothing is done; another set there is an error that wraps [content.ErrConflict].
//
// Images whose manifests cannot be read are left out: the error is an [IncompleteError] then, beside the set of the others. One of which
// a blob cannot be read ends the export.
func Export(ctx context.Context, c mirror.Config, o mirror.Opener, dir string, opts ExportOptions) (Set, error) {
	if opts.PartSize != 0 && opts.PartSize < MinPartSize {
		return Set{}, fmt.Errorf("the size of a part is at least %d bytes: %w", MinPartSize, content.ErrUnsupported)
	}
	if !(opts.Parity >= 0 && opts.Parity <= 1) {
		return Set{}, fmt.Errorf("a parity of %v is not from 0 to 1: %w", opts.Parity, content.ErrUnsupported)
	}
	e, err := prepare(ctx, c, o, dir, opts)
	if err != nil {
		return Set{}, err
	}
	opts.Have = nil
	defer e.close()
	to := inDirectory(dir, e.plan, opts.PartSize)
	already := func() (*Set, error) { return existing(dir, e.plan, opts.PartSize) }
	s, err := already()
	switch {
	case err == nil && s == nil:
		s, err = e.write(ctx, to, already, func(s Set) error { return s.write(dir, nil) })
	case err == nil:
		err = to.tidy(ctx)
	}
	if err == nil && opts.Parity > 0 {
		err = s.protect(ctx, dir, opts)
	}
	if err != nil {
		return Set{}, err
	}
	return *s, e.left.incomplete()
}

// exporter is an export whose plan is made.
type exporter struct {
	opts      ExportOptions
	collected *collection
	plan      *plan
	selected  []mirror.SelectedRepository
	sources   []source // of selected
	left      badImages
	deltas    *deltaMaker
}

// prepare reads what is selected, and makes the deltas and the plan. If path has a set, manifests are read from there. The
// caller closes the result.
func prepare(ctx context.Context, c mirror.Config, o mirror.Opener, path string, opts ExportOptions) (_ *exporter, err error) {
	e := &exporter{opts: opts}
	if e.selected, err = mirror.Select(ctx, c, o, opts.Options); err != nil {
		return nil, err
	}
	if e.sources, err = openSources(ctx, e.selected, o, manifestsOf(ctx, path), manifestcache.Dir(opts.ManifestDir)); err != nil {
		return nil, err
	}
	_ = manifestcache.Dir(opts.ManifestDir).Sweep(time.Now()) // what cannot be removed today can be tomorrow
	for i := range e.selected {                               // what is not needed any more, and large: all images of a repository, with all that is known of each
		e.selected[i].Listed, e.selected[i].Decisions = nil, nil
	}
	if e.collected, err = collect(ctx, e.selected, e.sources, &e.left, opts); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			e.close()
		}
	}()
	if opts.Delta != nil {
		if e.deltas, err = e.collected.makeDeltas(ctx, c, o, e.selected, e.sources, opts); err != nil {
			return nil, temporaryRoom(err)
		}
	}
	if e.plan, err = e.collected.plan(); err != nil {
		return nil, err
	}
	e.opts.Have, e.collected.there, e.collected.known = nil, inventory.Holdings{}, nil // as large as the set, and in the plan now
	if len(e.plan.images) == 0 {
		return nil, cmp.Or(e.left.noSet(), fmt.Errorf("no image is selected: %w", content.ErrNotFound))
	}
	return e, nil
}

// close removes temporary files.
func (e *exporter) close() { _ = e.deltas.Close() } // what is needed of them is written

// write writes the set, without parity, unless existing returns it. describe writes what is beside the parts.
func (e *exporter) write(ctx context.Context, to place, existing func() (*Set, error), describe func(s Set) error) (*Set, error) {
	w, err := openWriter(ctx, to, e.plan, e.opts.PartSize, existing)
	if err != nil {
		return nil, err
	}
	if w.finished != nil {
		return w.finished, w.Close()
	}
	var s Set
	if err = e.deltas.write(ctx, w); err == nil {
		err = w.fill(ctx, e.selected, e.sources, e.opts)
	}
	e.collected, e.selected, e.sources = nil, nil, nil // their manifests are written
	if err == nil {
		s, err = w.seal(ctx)
	}
	if err == nil {
		err = describe(s)
	}
	if err == nil {
		err = w.done()
	}
	return &s, errors.Join(room(to.name, err), w.Close())
}

// manifestsOf returns the manifests of the set at path, by their digests; none if there is no set. So an export that
// has nothing to do does not ask a registry for them.
func manifestsOf(ctx context.Context, path string) map[digest.Digest]content.Manifest {
	if path == "" {
		return nil
	}
	r, err := Open(path, ReadOptions{})
	if err != nil {
		return nil // what is wrong with it is found out when it is written
	}
	defer r.Close() // opened for reading
	known := map[digest.Digest]content.Manifest{}
	for _, image := range r.Images {
		contents, err := r.Contents(ctx, image)
		if err != nil {
			continue // such as an image that was left out
		}
		for _, m := range contents.Manifests {
			if content.VerifyManifest(m, m.Descriptor) == nil {
				known[m.Descriptor.Digest] = m
			}
		}
	}
	return known
}

// source is a repository, with what was read of its manifests.
type source struct {
	content.Source
	memo *memo.Repository
}

// openSources opens the repositories and reads the manifests of the selected images.
func openSources(ctx context.Context, selected []mirror.SelectedRepository, o mirror.Opener, known map[digest.Digest]content.Manifest, kept manifestcache.Dir) ([]source, error) {
	sources := make([]source, len(selected))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(repositoriesAtOnce)
	for i, s := range selected {
		group.Go(func() error {
			src, err := o.Source(ctx, s.From)
			if err != nil {
				return err
			}
			images := make([]digest.Digest, len(s.Images))
			for k, image := range s.Images {
				images[k] = image.Digest
			}
			sources[i].Source = src
			if sources[i].memo, err = memo.New(ctx, src, s.Listed, images, known, kept.Of(s.From)); err == nil && s.TagNames != nil {
				sources[i].memo.SetTags(s.TagNames)
			}
			return err
		})
	}
	return sources, group.Wait()
}

// collect reads what belongs to all images, and drops those from selected of which nothing is to be copied: bad ones too.
func collect(ctx context.Context, selected []mirror.SelectedRepository, sources []source, bad *badImages, opts ExportOptions) (*collection, error) {
	all := newCollection(opts.Have)
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readersAtOnce)
	copied := make([][]mirror.SelectedImage, len(selected))
	for i, s := range selected {
		src := sources[i]
		copied[i] = slices.Clone(s.Images)
		for k, image := range s.Images {
			group.Go(func() error {
				options := src.options(opts, s, image)
				if opts.Prepare != nil { // the caller sets what verifies the image
					if err := opts.Prepare(ctx, mirror.Copy{From: s.From, Source: src.memo, Options: &options}); err != nil {
						copied[i][k] = mirror.SelectedImage{}
						return bad.add(s.From, image, err)
					}
				}
				contents, err := transfer.ReadContents(ctx, src.Source, options)
				if err == nil && len(contents.Foreign) > 0 { // whoever imports the set need not reach its URL
					err = fmt.Errorf("%w: layer %s is a %w, which a set of images does not take", content.ErrUnsupported, contents.Foreign[0].Digest, content.ErrForeign)
				}
				if err != nil {
					copied[i][k] = mirror.SelectedImage{}
					return bad.add(s.From, image, err)
				}
				mu.Lock()
				defer mu.Unlock()
				known, err := all.add(s.From, s.Name, image, contents)
				if known {
					copied[i][k] = mirror.SelectedImage{}
				}
				return err
			})
		}
	}
	err := group.Wait()
	for i := range selected {
		selected[i].Images = slices.DeleteFunc(copied[i], func(image mirror.SelectedImage) bool { return image.Digest == "" })
	}
	return all, err
}

// readersAtOnce is how many images are read at once.
const readersAtOnce = 16

func (src source) options(opts ExportOptions, s mirror.SelectedRepository, image mirror.SelectedImage) transfer.Options {
	options := opts.Copy
	options.Manifests = src.memo
	options.Reference, options.Platforms, options.Referrers = string(image.Digest), s.Platforms, s.Referrers
	options.ReferrerFilter = s.ReferrerFilter
	return options
}

// fill copies all images into the set. Repositories are copied at the same time, the
// images of one after the other: what they share is fetched once.
func (w *writer) fill(ctx context.Context, selected []mirror.SelectedRepository, sources []source, opts ExportOptions) error {
	var bad badImages
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(cmp.Or(opts.Repositories, repositoriesAtOnce))
	for i, s := range selected {
		group.Go(func() error {
			for _, image := range s.Images {
				_, err := transfer.Copy(groupCtx, sources[i].Source, w, sources[i].options(opts, s, image))
				if err := bad.add(s.From, image, err); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return cmp.Or(group.Wait(), bad.noSet())
}

// repositoriesAtOnce is how many repositories are read at once, unless the options say.
const repositoriesAtOnce = 8
