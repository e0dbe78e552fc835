package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/dustin/go-humanize/english"
	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/delta"
	"github.com/ecrkit/ecrkit/mirror/media"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
)

const mirrorDeltaHelp = `Show what a delta between two images would cost: what ecrkit mirror export --delta would carry for
NEW to a destination that has OLD.

  ecrkit mirror delta HOST/web:1.4 HOST/web:1.5
  ecrkit mirror delta oci:old oci:new --output json

The layers of NEW that OLD does not have are made from those of OLD, rebuilt, and compared with
their digests. A layer is carried whole if it cannot be rebuilt, or if the delta would not be
smaller. Nothing is written but temporary files, in TMPDIR, which hold the unpacked layers.

Prints a table: layer, bytes, delta, encoder that wrote the layer, number of bases, seconds; or with
--output json one object: layers (layer, size, delta, encoder, bases, whole, seconds), size, delta.`

func newMirrorDeltaCommand(app *App) *cobra.Command {
	return &cobra.Command{
		Use:   "delta OLD NEW",
		Short: "Show what a delta between two images would cost",
		Long:  mirrorDeltaHelp,
		Args:  arguments(0, "OLD", "NEW"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.compareLayers(cmd.Context(), args[0], args[1])
		},
	}
}

// deltaResult is what `ecrkit mirror delta` prints.
type deltaResult struct {
	Layers []media.LayerDelta `json:"layers"`
	Size   int64              `json:"size"`  // of the layers, in bytes
	Delta  int64              `json:"delta"` // what would be carried instead, in bytes
}

// readLayers returns the layers of an image.
func (app *App) readLayers(ctx context.Context, reference string) (content.Source, []content.Descriptor, error) {
	r, err := app.parseReference(reference)
	if err != nil {
		return nil, nil, err
	}
	src, _, err := app.openSource(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	contents, err := transfer.ReadContents(ctx, src, transfer.Options{Reference: r.Name()})
	if err != nil {
		return nil, nil, err
	}
	layers := slices.DeleteFunc(contents.Blobs, func(d content.Descriptor) bool {
		return !media.IsLayer(d.MediaType) || content.IsForeign(d.MediaType)
	})
	return src, layers, nil
}

func (app *App) compareLayers(ctx context.Context, before, after string) error {
	defer app.limitMemory()()
	from, old, err := app.readLayers(ctx, before)
	if err != nil {
		return err
	}
	to, layers, err := app.readLayers(ctx, after)
	if err != nil {
		return err
	}
	w := delta.NewWorkspace(app.tempDir())
	var bases []*delta.Plaintext
	defer func() {
		for _, b := range bases {
			b.Close() // it is removed
		}
	}()
	result := deltaResult{Layers: []media.LayerDelta{}}
	known := map[digest.Digest]bool{}
	for _, d := range old {
		known[d.Digest] = true
	}
	layers = slices.DeleteFunc(layers, func(d content.Descriptor) bool { return known[d.Digest] })
	if len(layers) > 0 {
		for _, d := range old {
			base, err := w.Plaintext(ctx, media.LayerOf(from, d))
			if err != nil {
				return err
			}
			bases = append(bases, base)
		}
	}
	for _, d := range layers {
		start := app.Now()
		made, err := w.Make(ctx, media.LayerOf(to, d), bases)
		entry, err := media.NewLayerDelta(d, made, err, app.Now().Sub(start))
		if err != nil {
			return err
		}
		if entry.Whole != "" {
			result.Delta += d.Size
		} else {
			result.Delta += made.Size
			made.Close() // it is removed
		}
		result.Size += d.Size
		result.Layers = append(result.Layers, entry)
	}
	return app.PrintResult(result, deltaText(result))
}

// deltaText is the result for people.
func deltaText(r deltaResult) string {
	var s strings.Builder
	for _, d := range r.Layers {
		s.WriteString(layerDeltaText(d) + "\n")
	}
	if r.Size == 0 {
		return "no layer differs\n"
	}
	fmt.Fprintf(&s, "%s instead of %s (%.1f %%)\n", humanize.IBytes(uint64(r.Delta)), humanize.IBytes(uint64(r.Size)), 100*float64(r.Delta)/float64(r.Size))
	return s.String()
}

// layerDeltaText is a line about a layer.
func layerDeltaText(d media.LayerDelta) string {
	if d.Whole != "" {
		return fmt.Sprintf("%s  %s whole: %s", showDigest(d.Layer, 1), humanize.IBytes(uint64(d.Size)), printable(d.Whole))
	}
	return fmt.Sprintf("%s  %s as %s, %.1f %%, encoder %s, %s, %.1f s", showDigest(d.Layer, 1), humanize.IBytes(uint64(d.Size)),
		humanize.IBytes(uint64(d.Delta)), 100*float64(d.Delta)/float64(d.Size), d.Encoder, english.Plural(len(d.Bases), "base", ""), d.Seconds)
}
