package index

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/ecrkit/ecrkit/internal/imagetree"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/indexedit"
)

// read returns the entries that additions become.
func (x *Index) read(ctx context.Context, additions []Addition) ([]entry, error) {
	manifests, err := x.resolveAdditions(ctx, additions)
	if err != nil {
		return nil, err
	}
	groups := make([][]entry, len(additions))
	var here []*entry // those in the endpoint, whose platforms are read together
	for i, a := range additions {
		if groups[i], err = entriesOf(manifests[i]); err != nil {
			return nil, fmt.Errorf("%s: %w", x.source(a), err)
		}
		var elsewhere []*entry
		for j := range groups[i] {
			e := &groups[i][j]
			if e.source = a.Source; e.source != nil {
				elsewhere = append(elsewhere, e)
			} else {
				here = append(here, e)
			}
		}
		if err := completePlatforms(ctx, x.source(a), elsewhere); err != nil {
			return nil, err
		}
	}
	if err := completePlatforms(ctx, x.endpoint, here); err != nil {
		return nil, err
	}
	var entries []entry
	for _, group := range groups {
		entries = append(entries, group...)
	}
	return entries, nil
}

// source is where an addition is.
func (x *Index) source(a Addition) content.Source {
	if a.Source == nil {
		return x.endpoint
	}
	return a.Source
}

// resolvedAtOnce is how many additions are resolved at the same time.
const resolvedAtOnce = 8

// resolveAdditions reads the manifests; those that are in the endpoint at once if
// it can do that.
func (x *Index) resolveAdditions(ctx context.Context, additions []Addition) ([]content.Manifest, error) {
	manifests := make([]content.Manifest, len(additions))
	batch, ok := x.endpoint.(content.BatchResolver)
	if ok {
		var references []string
		var places []int
		for i, a := range additions {
			if a.Source == nil && a.Reference != "" && a.Verify == nil {
				references, places = append(references, a.Reference), append(places, i)
			}
		}
		found, err := batch.ResolveAll(ctx, references)
		if err != nil {
			return nil, err
		}
		for i, place := range places {
			if err := imagetree.CheckResolved(x.endpoint, references[i], found[i]); err != nil {
				return nil, err
			}
			manifests[place] = found[i]
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(resolvedAtOnce)
	for i, a := range additions {
		if manifests[i].Content != nil {
			continue
		}
		group.Go(func() (err error) {
			manifests[i], err = imagetree.ResolveVerified(ctx, x.source(a), a.Reference)
			if err == nil && a.Verify != nil {
				err = a.Verify(ctx, x.source(a), manifests[i])
			}
			return err
		})
	}
	return manifests, group.Wait()
}

// entriesOf returns the entry for an image, or those of an index.
func entriesOf(m content.Manifest) ([]entry, error) {
	c, err := content.DecodeManifest(m.Content, m.Descriptor.MediaType)
	if err != nil {
		return nil, fmt.Errorf("manifest %s: %w", m.Descriptor.Digest, err)
	}
	if c.Manifests == nil {
		d := content.Descriptor{MediaType: c.MediaType, Digest: m.Descriptor.Digest, Size: m.Descriptor.Size}
		var artifact struct{ ArtifactType string }
		if err := json.Unmarshal(m.Content, &artifact); err != nil {
			return nil, fmt.Errorf("manifest %s: %w: %w", d.Digest, content.ErrIntegrity, err)
		}
		d.ArtifactType = artifact.ArtifactType
		raw, err := marshal(d)
		return []entry{{IndexEntry: imagetree.IndexEntry{Descriptor: d, Manifest: m}, raw: raw}}, err
	}
	doc, err := indexedit.Parse(m.Content)
	if err != nil {
		return nil, fmt.Errorf("index %s: %w: %w", m.Descriptor.Digest, content.ErrIntegrity, err)
	}
	children, err := imagetree.IndexEntries(c)
	if err != nil {
		return nil, fmt.Errorf("index %s: %w", m.Descriptor.Digest, err)
	}
	entries := make([]entry, len(children))
	for i, raw := range doc.Entries() {
		var one bytes.Buffer
		if err := json.Compact(&one, raw); err != nil {
			return nil, err
		}
		entries[i] = entry{IndexEntry: children[i], raw: one.Bytes()}
	}
	return entries, nil
}

// completePlatforms reads the platforms of entries, and writes them into those
// that do not say them.
func completePlatforms(ctx context.Context, src content.Source, entries []*entry) error {
	children := make([]imagetree.IndexEntry, len(entries))
	for i, e := range entries {
		children[i] = e.IndexEntry
	}
	if err := imagetree.ReadPlatforms(ctx, src, children); err != nil {
		return imagetree.Named(src, err)
	}
	for i, e := range entries {
		e.IndexEntry = children[i]
		p := e.FromConfig
		if p == nil || !e.HasPlatform {
			continue
		}
		value, err := marshal(p)
		if err != nil {
			return err
		}
		if e.raw, err = indexedit.Set(e.raw, "platform", value); err != nil {
			return fmt.Errorf("%s: entry %s: %w: %w", src, e.Digest, content.ErrIntegrity, err)
		}
		e.Platform = p
	}
	return nil
}

// marshal is json.Marshal without the escapes for HTML.
func marshal(v any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(v)
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), err
}
