package media

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/mirror/internal/parts"
	"github.com/ecrkit/ecrkit/transfer/archive"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// Reader is an open set. It only reads: the set may be on a medium that cannot be written.
type Reader struct {
	Set
	dir       string
	parts     parts.Parts
	watched   []*files.Watched // the files of parts
	archive   *archive.Archive
	signature string  // its file, "" if the set is not signed
	stream    *stream // nil if the set can be read at any offset
	// rebuilder and far, which opens a repository of the destination, are nil unless UseDestination was called.
	rebuilder *rebuilder
	far       func(ctx context.Context, name string) (content.Source, error)

	group  sync.Once
	groups map[string]*repositoryImages // by repository
}

// repositoryImages are the images of a set that are of one repository.
type repositoryImages struct {
	order     []*Image
	images    map[digest.Digest]*Image
	tags      map[string]*Image
	referrers map[digest.Digest][]content.Descriptor // by what they refer to
}

// imagesOf returns the images of a repository, or nil. They are grouped once: a set may have 100,000.
func (r *Reader) imagesOf(repository string) *repositoryImages {
	r.group.Do(func() {
		r.groups = map[string]*repositoryImages{}
		for i := range r.Images {
			image := &r.Images[i]
			g := r.groups[image.Repository]
			if g == nil {
				g = &repositoryImages{images: map[digest.Digest]*Image{}, tags: map[string]*Image{}, referrers: map[digest.Digest][]content.Descriptor{}}
				r.groups[image.Repository] = g
			}
			g.order = append(g.order, image)
			g.images[image.Digest] = image
			for _, tag := range image.Tags {
				g.tags[tag] = image
			}
			if image.Subject != "" {
				g.referrers[image.Subject] = append(g.referrers[image.Subject], image.descriptor())
			}
		}
	})
	return r.groups[repository]
}

// Open opens the set in a directory, or in one file. Each part must have its size; the bytes are checked
// when they are read, or by [Verify]. The error wraps [ErrNoSet], or [content.ErrIntegrity] with the part
// that is missing or short, or what opts.Verify returned. The caller closes the set.
func Open(path string, opts ReadOptions) (*Reader, error) {
	f, err := openFile(path)
	if err != nil {
		return nil, err
	}
	if f != nil {
		return openOne(f, path, opts)
	}
	s, _, err := readSet(path, opts)
	if err != nil {
		return nil, err
	}
	r := &Reader{Set: s, dir: path}
	for _, name := range signatureFiles {
		if _, missing := os.Lstat(filepath.Join(path, name)); missing == nil {
			r.signature = name
		}
	}
	if err := r.openParts(); err != nil {
		_ = r.parts.Close() // the first error counts
		return nil, err
	}
	at, err := checkTar(s, r.parts)
	if err != nil {
		_ = r.parts.Close() // the first error counts
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	r.archive = at.Archive(r.parts, r.parts, filepath.Join(path, tarFile))
	return r, nil
}

// openFile opens path if it is a regular file, and returns nil otherwise.
func openFile(path string) (*os.File, error) {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return nil, nil // a directory, or none: that is reported where the set is looked for
	}
	return os.Open(path)
}

// openOne opens a set in one file.
func openOne(f *os.File, path string, opts ReadOptions) (_ *Reader, err error) {
	fail := func(err error) (*Reader, error) {
		_ = f.Close() // opened for reading
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	info, err := f.Stat()
	if err != nil {
		return fail(err)
	}
	q, err := readSequence(io.NewSectionReader(f, 0, info.Size()), nil, opts)
	if err != nil {
		return fail(err)
	}
	if want := q.Size + q.beside; info.Size() != want {
		return fail(damaged("it has %d bytes, not %d", info.Size(), want))
	}
	if err := q.checkHeaders(f, info.Size()); err != nil {
		return fail(err)
	}
	r := &Reader{Set: q.Set, dir: path, signature: q.signature, parts: parts.Parts{{File: f, Size: info.Size()}}, watched: []*files.Watched{files.Watch(f)}}
	r.archive = q.places.Archive(r.parts, r.parts, path)
	return r, nil
}

// Signed reports whether the set has a signature. By whom is known only if it was read with
// [ReadOptions].Verify.
func (r *Reader) Signed() bool { return r.signature != "" }

func (r *Reader) openParts() error {
	first := int64(0)
	var errs []error
	for _, p := range r.Parts {
		path := filepath.Join(r.dir, p.Name)
		if err := files.CheckRegular(path); err != nil {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			errs = append(errs, fmt.Errorf("part %s: %w: %w", p.Name, content.ErrIntegrity, err))
			continue
		}
		r.parts = append(r.parts, parts.Part{File: f, First: first, Size: p.Size})
		r.watched = append(r.watched, files.Watch(f))
		first += p.Size
		if info, err := f.Stat(); err != nil {
			errs = append(errs, err)
		} else if info.Size() != p.Size {
			errs = append(errs, fmt.Errorf("part %s: %w: it has %d bytes, not %d", p.Name, content.ErrIntegrity, info.Size(), p.Size))
		}
	}
	return errors.Join(errs...)
}

// Changed returns the paths of those files of images that were written to, or cut, since the set was opened.
func (r *Reader) Changed() (paths []string) {
	for _, f := range r.watched {
		if f.Changed() {
			paths = append(paths, f.Name())
		}
	}
	return paths
}

// Close closes the set.
func (r *Reader) Close() error {
	return errors.Join(r.rebuilder.Close(), r.archive.Close(), r.stream.close())
}

// SourceRepository is a repository of which a set has images.
type SourceRepository struct {
	Repository string // HOST/REPOSITORY at the source
	Name       string // repository under a destination
}

// Repositories returns the repositories of the set, sorted.
func (r *Reader) Repositories() []SourceRepository {
	var repositories []SourceRepository
	for _, image := range r.Images {
		repositories = append(repositories, SourceRepository{image.Repository, image.Name})
	}
	slices.SortFunc(repositories, func(a, b SourceRepository) int {
		return cmp.Or(cmp.Compare(a.Repository, b.Repository), cmp.Compare(a.Name, b.Name))
	})
	return slices.Compact(repositories)
}

// Repository returns the images of one repository of the set. The error wraps [content.ErrNotFound] if
// the set has none of it.
func (r *Reader) Repository(repository string) (content.Source, error) {
	images := r.imagesOf(repository)
	if images == nil {
		return nil, fmt.Errorf("%s has no image of %s: %w", r.dir, repository, content.ErrNotFound)
	}
	return &view{repositoryImages: images, archive: r.archive, rebuilder: r.rebuilder, far: r.far, stream: r.stream, needs: r.Needs, name: r.dir + " " + repository}, nil
}

// view is one repository of a set.
type view struct {
	*repositoryImages
	archive   *archive.Archive
	rebuilder *rebuilder
	stream    *stream
	far       func(ctx context.Context, name string) (content.Source, error)
	needs     []RequiredBlob // in their order
	name      string
}

var (
	_ content.Source         = (*view)(nil)
	_ content.FileReader     = (*view)(nil)
	_ content.PartialSource  = (*view)(nil)
	_ content.BatchResolver  = (*view)(nil)
	_ content.TagFinder      = (*view)(nil)
	_ content.ImageLister    = (*view)(nil)
	_ content.ReferrerLister = (*view)(nil)
)

func (v *view) String() string { return v.name }

// Resolve returns the manifest of a tag or a digest.
func (v *view) Resolve(ctx context.Context, reference string) (content.Manifest, error) {
	manifests, err := v.ResolveAll(ctx, []string{reference})
	if err != nil {
		return content.Manifest{}, err
	}
	return manifests[0], nil
}

// ResolveAll returns the manifests of tags or digests.
func (v *view) ResolveAll(ctx context.Context, references []string) ([]content.Manifest, error) {
	descriptors := make([]content.Descriptor, len(references))
	for i, reference := range references {
		image := v.tags[reference]
		if image == nil {
			image = v.images[digest.Digest(reference)]
		}
		if image == nil {
			return nil, &content.ImageNotFoundError{Place: v.name, Image: reference}
		}
		descriptors[i] = image.descriptor()
	}
	return v.Manifests(ctx, descriptors)
}

// Blob opens a blob of the set.
func (v *view) Blob(ctx context.Context, d content.Descriptor) (io.ReadCloser, error) {
	if v.rebuilder.has(d) {
		f, err := v.rebuilder.file(ctx, v, d)
		if err != nil {
			return nil, err
		}
		return io.NopCloser(io.NewSectionReader(f, 0, d.Size)), nil
	}
	if err := v.stream.check(d); err != nil {
		return nil, err
	}
	return v.archive.Blob(ctx, d)
}

// BlobFile opens a blob of the set for reading at any offset.
func (v *view) BlobFile(ctx context.Context, d content.Descriptor) (content.BlobFile, error) {
	if v.rebuilder.has(d) {
		return v.rebuilder.file(ctx, v, d)
	}
	if err := v.stream.check(d); err != nil {
		return nil, err
	}
	return v.archive.BlobFile(ctx, d)
}

// HasBlob reports whether the set has a blob, whole or as a delta. A stream has large ones only once.
func (v *view) HasBlob(d content.Descriptor) bool {
	if v.rebuilder.has(d) {
		return true
	}
	_, needed := v.need(RequiredBlob{Digest: d.Digest})
	return !needed && v.stream.check(d) == nil
}

// FindTags returns the manifests of tags.
func (v *view) FindTags(ctx context.Context, tags []string) (map[string]content.Manifest, error) {
	found := map[string]content.Manifest{}
	for _, tag := range tags {
		if _, ok := v.tags[tag]; !ok {
			continue
		}
		m, err := v.Resolve(ctx, tag)
		if err != nil {
			return nil, err
		}
		found[tag] = m
	}
	return found, nil
}

// Images lists the images of the repository that have a tag or refer to another one.
func (v *view) Images(context.Context, content.TagFilter) iter.Seq2[content.Image, error] {
	return func(yield func(content.Image, error) bool) {
		for _, image := range v.order {
			listed := content.Image{Digest: image.Digest, Tags: image.Tags, MediaType: image.MediaType, ArtifactType: image.ArtifactType, Subject: image.Subject}
			if !yield(listed, nil) {
				return
			}
		}
	}
}

// Referrers returns what refers to a manifest.
func (v *view) Referrers(_ context.Context, subject digest.Digest) ([]content.Descriptor, error) {
	return slices.Clone(v.referrers[subject]), nil
}

// Path is where the set is.
func (r *Reader) Path() string { return strings.TrimSuffix(r.dir, "/") }
