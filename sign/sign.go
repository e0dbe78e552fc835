package sign

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/imagetree"
	"github.com/ecrkit/ecrkit/internal/registryname"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// Options describe how an image is signed. The zero value writes one bundle for the
// image itself.
type Options struct {
	// Formats are those that are written, FormatBundle and FormatLegacy; none is
	// FormatBundle.
	Formats []Format
	// Annotations are signed with the image.
	Annotations map[string]string
	// Repository is the name, HOST/REPOSITORY, that a legacy payload says the image
	// is in; "" is the name of the store, which an OCI layout does not have.
	Repository string
	// Recursive signs the images of an index, and of indexes in it, too.
	Recursive bool
	// Force signs again what this key has signed with the same annotations. That
	// makes a second bundle; a legacy signature is replaced.
	Force bool
	// LockDir is a directory in which those who sign one image on this machine wait for
	// each other: where lists of signatures are below tags, a writer replaces a list as
	// a whole. "" means none; each then looks again after writing, as for signers elsewhere,
	// which one that is held up for longer defeats.
	LockDir string
	// Now is the clock for the creation time, which is not signed; nil is time.Now.
	Now func() time.Time

	pause time.Duration // in place of appendPause
}

// Signed is what became of one format of one image.
type Signed struct {
	Digest    digest.Digest `json:"digest"`        // of the image that was signed
	Format    Format        `json:"format"`        // of the signature
	Signature digest.Digest `json:"signature"`     // of the manifest that holds it
	Tag       string        `json:"tag,omitempty"` // of that manifest; "" if it has none
	Existed   bool          `json:"existed"`       // nothing was written: the key had signed it so before
	Bundle    []byte        `json:"-"`             // of FormatBundle
}

// Sign signs the image that m is, in the store that holds it. All signatures are
// made before the first is written: if the key refuses one, nothing is. The images
// of an index are written before the index. What is already present by the same key
// and with the same annotations is not made again.
//
// The error is a [content.ConflictError] if a legacy signature cannot be added to
// others since their tag is immutable. After an error of the store, the result has
// what is there nevertheless.
func Sign(ctx context.Context, store Store, m content.Manifest, signer *Signer, opts Options) ([]Signed, error) {
	opts, err := opts.complete(store)
	if err != nil {
		return nil, err
	}
	images, err := imagesToSign(ctx, store, m, opts.Recursive)
	if err != nil {
		return nil, err
	}
	var jobs []job
	for _, image := range images {
		for _, f := range opts.Formats {
			if f == FormatBundle {
				jobs = append(jobs, newBundleJob(store, image, signer, signaturePredicateType, []byte("{}"), opts))
				continue
			}
			j, err := newLegacyJob(store, image, signer, opts)
			if err != nil {
				return nil, err
			}
			jobs = append(jobs, j)
		}
	}
	return run(ctx, store, jobs, m.Descriptor.Digest, opts.LockDir)
}

// imagesToSign returns the image that m is last.
func imagesToSign(ctx context.Context, store Store, m content.Manifest, recursive bool) ([]content.Manifest, error) {
	if recursive {
		return imagetree.ReadTree(ctx, store, m)
	}
	m, err := content.CheckManifest(m)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", store, err)
	}
	return []content.Manifest{m}, nil
}

// complete checks the options and sets what was left out.
func (o Options) complete(store Store) (Options, error) {
	if len(o.Formats) == 0 {
		o.Formats = []Format{FormatBundle}
	}
	var formats []Format
	for _, f := range o.Formats {
		if f != FormatBundle && f != FormatLegacy {
			return Options{}, fmt.Errorf("signatures are not written in the format %q; choose %s or %s", f, FormatBundle, FormatLegacy)
		}
		if !slices.Contains(formats, f) {
			formats = append(formats, f)
		}
	}
	o.Formats = formats
	for name, value := range o.Annotations {
		if name == "" || !utf8.ValidString(name) || !utf8.ValidString(value) {
			return Options{}, fmt.Errorf("the annotation %q=%q cannot be signed: it needs a name, and both must be UTF-8", name, value)
		}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.pause == 0 {
		o.pause = appendPause
	}
	if !slices.Contains(o.Formats, FormatLegacy) {
		return o, nil
	}
	if o.Repository == "" {
		o.Repository = store.String()
	}
	return o, checkRepository(o.Repository)
}

// checkRepository refuses what cosign cannot read again as the name of a repository.
func checkRepository(name string) error {
	host, repository, _ := strings.Cut(name, "/")
	_, err := registryname.Host(host)
	if err == nil && !(strings.ContainsAny(host, ".:") || strings.EqualFold(host, "localhost")) || len(repository) > 256 || !content.IsRepositoryName(repository) {
		err = errors.New("it is not HOST/REPOSITORY")
	}
	if err != nil {
		return fmt.Errorf("a legacy signature names the repository of the image, which %q is not: give the name that the image will have in a registry (%w)", name, err)
	}
	return nil
}
