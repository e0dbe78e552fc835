package media

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/ecrkit/ecrkit/delta"
	"github.com/ecrkit/ecrkit/mirror"
	"github.com/ecrkit/ecrkit/mirror/inventory"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// DeltaOptions are how layers are replaced by deltas.
type DeltaOptions struct {
	// TempDir is for the plaintexts of layers; "" is the system's directory.
	TempDir string
	// Report, if not nil, is called with each layer that a delta was tried for.
	Report func(LayerDelta)
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// LayerDelta is what came of a layer that the destination lacks.
type LayerDelta struct {
	Layer   digest.Digest   `json:"layer"`
	Size    int64           `json:"size"`
	Delta   int64           `json:"delta,omitempty"` // bytes; 0 if the layer is carried whole
	Encoder string          `json:"encoder,omitempty"`
	Bases   []digest.Digest `json:"bases,omitempty"`
	Whole   string          `json:"whole,omitempty"` // why the layer is carried whole
	Seconds float64         `json:"seconds"`
}

// NewLayerDelta describes what [delta.Workspace.Make] has returned for a layer after so long. An error that
// is no [delta.ErrWhole] is returned.
func NewLayerDelta(layer content.Descriptor, made *delta.Delta, err error, took time.Duration) (LayerDelta, error) {
	entry := LayerDelta{Layer: layer.Digest, Size: layer.Size, Seconds: took.Seconds()}
	switch {
	case errors.Is(err, delta.ErrWhole):
		entry.Whole = err.Error()
	case err != nil:
		return LayerDelta{}, err
	default:
		entry.Delta, entry.Encoder = made.Size, made.EncoderName()
		for _, base := range made.Bases {
			entry.Bases = append(entry.Bases, base.Digest)
		}
	}
	return entry, nil
}

// Delta is a layer that the set does not have, and what it is rebuilt from.
type Delta struct {
	Layer   digest.Digest `json:"layer"`
	Size    int64         `json:"size"`
	Delta   digest.Digest `json:"delta"` // a blob of the set
	Bytes   int64         `json:"bytes"` // of the delta
	Encoder string        `json:"encoder"`
	// Bases are layers that a repository of the destination has, in the order of the delta.
	Bases []RequiredBlob `json:"bases"`
}

func (d Delta) descriptor() content.Descriptor {
	return content.Descriptor{MediaType: delta.MediaType, Digest: d.Delta, Size: d.Bytes}
}

// checkDeltas returns an error unless each layer has one delta, and the destination is asked for all bases before
// anything is written.
func (s Set) checkDeltas() error {
	needed := map[RequiredBlob]bool{}
	layers := map[digest.Digest]bool{}
	for _, n := range s.Needs {
		needed[n] = true
	}
	for _, d := range s.Deltas {
		if d.Layer.Validate() != nil || d.Delta.Validate() != nil || d.Size < 0 || d.Bytes <= 0 || len(d.Bases) > delta.MaxBases {
			return fmt.Errorf("the delta of layer %q cannot be right", d.Layer)
		}
		if layers[d.Layer] {
			return fmt.Errorf("layer %s has two deltas", d.Layer)
		}
		layers[d.Layer] = true
		for _, b := range d.Bases {
			if !needed[b] {
				return fmt.Errorf("the delta of layer %s: base %q in %q is not among the blobs that are left out", d.Layer, b.Digest, b.Name)
			}
		}
	}
	return nil
}

const (
	// minLayer is the smallest layer that a delta is tried for, in bytes.
	minLayer = 16 << 10
	// maxCandidates is how many layers are read to find the bases of one, and layersAtOnce how many at once.
	maxCandidates = 6
	layersAtOnce  = 4
)

// IsLayer reports whether blobs of a media type are layers of an image.
func IsLayer(mediaType string) bool { return strings.Contains(mediaType, "tar") }

// candidate is a layer that a repository of the destination has, and the source too.
type candidate struct {
	RequiredBlob
	src        content.Source
	descriptor content.Descriptor
}

// deltaMaker replaces layers of a collection by deltas.
type deltaMaker struct {
	opts       DeltaOptions
	workspace  *delta.Workspace
	encoders   []string
	candidates []candidate
	plain      map[digest.Digest]*delta.Plaintext
	made       []*delta.Delta
	deltas     []Delta
}

// makeDeltas replaces the layers of the collection that are worth it, before its plan is made. The caller
// closes the result.
func (c *collection) makeDeltas(ctx context.Context, conf mirror.Config, o mirror.Opener, selected []mirror.SelectedRepository, sources []source, opts ExportOptions) (*deltaMaker, error) {
	m := &deltaMaker{opts: *opts.Delta, workspace: delta.NewWorkspace(opts.Delta.TempDir), encoders: inventory.Encoders(opts.Have), plain: map[digest.Digest]*delta.Plaintext{}}
	if m.opts.Now == nil {
		m.opts.Now = time.Now
	}
	there := c.there.Blobs
	if err := m.find(ctx, conf, o, there, opts); err != nil {
		return m, err
	}
	from := map[string]content.Source{}
	for i, s := range selected {
		from[s.From] = sources[i].Source
	}
	for _, d := range slices.Sorted(maps.Keys(c.blobs)) {
		blob := c.blobs[d]
		missing := slices.ContainsFunc(c.usersOf(d), func(name string) bool { return !there.Reaches(name, d) })
		if !missing || !IsLayer(blob.MediaType) || blob.Size < minLayer || content.IsForeign(blob.MediaType) {
			continue
		}
		made, err := m.try(ctx, from[c.from[d]], blob)
		if err != nil {
			return m, err
		}
		if made {
			c.deltas = m.deltas
			delete(c.blobs, d)
		}
	}
	return m, nil
}

// find lists the layers that the destination has and the source can still read.
func (m *deltaMaker) find(ctx context.Context, conf mirror.Config, o mirror.Opener, there inventory.Holding, opts ExportOptions) error {
	if len(m.encoders) == 0 {
		return nil
	}
	all := mirror.Config{}
	for _, images := range conf.Images {
		images.Tags, images.Digests = mirror.TagRules{Match: mirror.Patterns{"*"}}, nil
		if !slices.ContainsFunc(all.Images, func(other mirror.ImageRules) bool { return other.From == images.From }) {
			all.Images = append(all.Images, images)
		}
	}
	selected, err := mirror.Select(ctx, all, o, opts.Options)
	if err != nil {
		return err
	}
	for _, s := range selected {
		if !there.HasAny(s.Name) {
			continue
		}
		src, err := o.Source(ctx, s.From)
		if err != nil {
			return err
		}
		for _, image := range s.Images {
			contents, err := transfer.ReadContents(ctx, src, transfer.Options{Reference: string(image.Digest), Platforms: s.Platforms})
			if err != nil {
				return fmt.Errorf("%s@%s: %w", s.From, image.Digest, err)
			}
			for _, b := range contents.Blobs {
				if !IsLayer(b.MediaType) || content.IsForeign(b.MediaType) || !there.Has(s.Name, b.Digest) ||
					slices.ContainsFunc(m.candidates, func(c candidate) bool { return c.Digest == b.Digest }) {
					continue
				}
				m.candidates = append(m.candidates, candidate{RequiredBlob{Name: s.Name, Digest: b.Digest, Size: b.Size}, src, b})
			}
		}
	}
	return nil
}

// try makes the delta of a layer and reports whether it is to be used.
func (m *deltaMaker) try(ctx context.Context, src content.Source, blob content.Descriptor) (bool, error) {
	start := m.opts.Now()
	d, err := m.make(ctx, src, blob)
	result, err := NewLayerDelta(blob, d, err, m.opts.Now().Sub(start))
	if err != nil {
		return false, err
	}
	if result.Whole == "" {
		m.made = append(m.made, d)
		entry := Delta{Layer: blob.Digest, Size: blob.Size, Bytes: d.Size, Encoder: result.Encoder}
		if entry.Delta, err = digest.SHA256.FromReader(io.NewSectionReader(d.File, 0, d.Size)); err != nil {
			return false, err
		}
		for _, base := range result.Bases {
			i := slices.IndexFunc(m.candidates, func(c candidate) bool { return c.Digest == base })
			entry.Bases = append(entry.Bases, m.candidates[i].RequiredBlob)
		}
		m.deltas = append(m.deltas, entry)
	}
	if m.opts.Report != nil {
		m.opts.Report(result)
	}
	return result.Whole == "", nil
}

func (m *deltaMaker) make(ctx context.Context, src content.Source, blob content.Descriptor) (*delta.Delta, error) {
	if len(m.encoders) == 0 {
		return nil, fmt.Errorf("%w: the inventory does not say that its ecrkit can rebuild layers", delta.ErrWhole)
	}
	nearest := slices.SortedStableFunc(slices.Values(m.candidates), func(a, b candidate) int {
		return cmp.Compare(distance(a.Size, blob.Size), distance(b.Size, blob.Size))
	})
	bases, err := m.bases(ctx, nearest[:min(len(nearest), maxCandidates)])
	if err != nil {
		return nil, err
	}
	d, err := m.workspace.Make(ctx, LayerOf(src, blob), bases)
	if err == nil && !slices.Contains(m.encoders, d.EncoderName()) {
		d.Close() // it is removed
		return nil, fmt.Errorf("%w: the other side's ecrkit does not have the encoder %s", delta.ErrWhole, d.EncoderName())
	}
	return d, err
}

// bases returns the plaintexts of candidates, each of which is read once, some at the same time.
func (m *deltaMaker) bases(ctx context.Context, candidates []candidate) ([]*delta.Plaintext, error) {
	bases := make([]*delta.Plaintext, len(candidates))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(layersAtOnce)
	for i, c := range candidates {
		if bases[i] = m.plain[c.Digest]; bases[i] != nil {
			continue
		}
		group.Go(func() (err error) {
			bases[i], err = m.workspace.Plaintext(groupCtx, LayerOf(c.src, c.descriptor))
			if errors.Is(err, content.ErrNotFound) || errors.Is(err, content.ErrIntegrity) || errors.Is(err, content.ErrUnsupported) {
				err = nil // the source cannot read it any more, or it is no tar that can be unpacked
			}
			return err
		})
	}
	err := group.Wait()
	for i, p := range bases {
		if p != nil {
			m.plain[candidates[i].Digest] = p
		}
	}
	return slices.DeleteFunc(bases, func(p *delta.Plaintext) bool { return p == nil }), err
}

func distance(a, b int64) int64 { return max(a, b) - min(a, b) }

// LayerOf is a blob of a repository as a layer.
func LayerOf(src content.Source, d content.Descriptor) delta.Layer {
	return delta.Layer{Digest: d.Digest, Size: d.Size, Open: func(ctx context.Context) (io.ReadCloser, error) { return src.Blob(ctx, d) }}
}

// write writes the deltas to their places.
func (m *deltaMaker) write(ctx context.Context, w *writer) error {
	if m == nil {
		return nil
	}
	for i, d := range m.made {
		if w.journal.IsDone(m.deltas[i].Delta) {
			continue
		}
		if err := w.PutBlob(ctx, m.deltas[i].descriptor(), io.NewSectionReader(d.File, 0, d.Size)); err != nil {
			return err
		}
	}
	return nil
}

// Close removes the temporary files.
func (m *deltaMaker) Close() error {
	if m == nil {
		return nil
	}
	var errs []error
	for _, p := range m.plain {
		errs = append(errs, p.Close())
	}
	for _, d := range m.made {
		errs = append(errs, d.Close())
	}
	return errors.Join(errs...)
}
