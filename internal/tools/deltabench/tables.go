//go:build linux

package main

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/dustin/go-humanize/english"
	"github.com/opencontainers/go-digest"
)

// measured is a delta that was made and applied.
type measured struct {
	made
	make, apply cost
}

// measure makes a delta and applies it, each in a process of its own.
func (b *bench) measure(ctx context.Context, old, next string) (m measured, err error) {
	self, err := os.Executable()
	if err != nil {
		return m, err
	}
	l, sum, err := layerOf(next)
	if err != nil {
		return m, err
	}
	to := filepath.Join(b.dir, "delta")
	var out bytes.Buffer
	if m.make, err = b.process(ctx, "", &out, self, "make", b.dir, old, next, to); err != nil {
		return m, err
	}
	if err := json.Unmarshal(out.Bytes(), &m.made); err != nil || m.Whole != "" {
		return m, err
	}
	m.Layer = l.Size
	m.apply, err = b.process(ctx, "", nil, self, "apply", b.dir, old, to, fmt.Sprint(m.Delta), string(sum))
	return m, err
}

// layers writes both versions with a tool.
func (b *bench) layers(ctx context.Context, t tool, set dataset) (old, next string, err error) {
	for i, v := range []version{set.old, set.new} {
		dir, err := os.MkdirTemp(b.dir, "tool-")
		if err != nil {
			return "", "", err
		}
		to := filepath.Join(b.dir, fmt.Sprint("layer-", i))
		err = t.layer(ctx, b, dir, v, to)
		os.RemoveAll(dir) // what is left is in the temporary directory
		if err != nil {
			return "", "", fmt.Errorf("%s: %w", t.name, err)
		}
		if i == 0 {
			old = to
		} else {
			next = to
		}
	}
	return old, next, nil
}

// toolTable is which encoder the layers of each tool have, and what describing them takes.
func (b *bench) toolTable(ctx context.Context, out io.Writer, set dataset) error {
	fmt.Fprintf(out, "\n### By tool\n\nLayers of %s. The description is what a delta has besides the\npatch: the shares are of the compressed layer. Tokens are the matches and literals of DEFLATE.\n\n", set.name)
	fmt.Fprint(out, "| Tool | Encoder | Layer | Description | Missed tokens | Delta | Rebuilt |\n|---|---|--:|--:|--:|--:|---|\n")
	var missing []string
	for _, t := range allTools() {
		if !b.wanted(t.name) {
			continue
		}
		if !b.has(t) {
			missing = append(missing, "`"+t.name+"` (needs "+english.OxfordWordSeries(t.needs, "and")+")")
			continue
		}
		fmt.Fprintf(b.progress, "%s\n", t.name)
		old, next, err := b.layers(ctx, t, set)
		if err != nil {
			if ctx.Err() == nil {
				fmt.Fprintf(out, "| %s | failed: %.200q | | | | | |\n", t.name, err)
			}
			continue
		}
		m, err := b.measure(ctx, old, next)
		if err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		name := t.name
		if t.version != nil {
			name = b.versioned(ctx, t)
		}
		if m.Whole != "" {
			fmt.Fprintf(out, "| %s | – | %s | – | – | – | no: %s |\n", name, size(m.Layer), strings.TrimPrefix(m.Whole, "the layer is carried whole: "))
			continue
		}
		encoder := "`" + m.Encoder + "`"
		if m.Segment > 0 {
			encoder += fmt.Sprintf(", segments of %d KiB", m.Segment>>10)
		}
		missed := "–"
		if m.Tokens > 0 {
			missed = fmt.Sprintf("%d of %.1f million", m.Misses, float64(m.Tokens)/1e6)
		}
		fmt.Fprintf(out, "| %s | %s | %s | %s | %s | %s | yes |\n", name, encoder, size(m.Layer), share(m.Description, m.Layer), missed, share(m.Delta, m.Layer))
	}
	if len(missing) > 0 {
		fmt.Fprintf(out, "\nNot measured, because a program was missing: %s.\n", strings.Join(missing, ", "))
	}
	return ctx.Err()
}

// versioned is the name of a tool with its version.
func (b *bench) versioned(ctx context.Context, t tool) string {
	var out bytes.Buffer
	argv := append([]string{b.find(t.version[0])}, t.version[1:]...)
	if _, err := b.process(ctx, "", &out, argv...); err != nil {
		return t.name
	}
	for word := range strings.FieldsSeq(out.String()) {
		word = strings.Trim(word, "v,()")
		if strings.Contains(word, ".") && word[0] >= '0' && word[0] <= '9' {
			return t.name + " (" + word + ")"
		}
	}
	return t.name
}

// contentTable is what deltas take between two versions.
func (b *bench) contentTable(ctx context.Context, out io.Writer, sets []dataset) error {
	fmt.Fprint(out, "\n### By content\n\nLayers by `gzip -6`. `zstd --patch-from`, level 3, is of the tars: it does not make the same compressed layer.\n\n")
	fmt.Fprint(out, "| Content | In changed files | Layer | Delta | Share of the layer | zstd --patch-from |\n|---|--:|--:|--:|--:|--:|\n")
	for _, set := range sets {
		fmt.Fprintf(b.progress, "%s\n", set.name)
		old, next, err := b.layers(ctx, filter("gzip", "-n", "-6"), set)
		if err != nil {
			return err
		}
		m, err := b.measure(ctx, old, next)
		if err != nil {
			return err
		}
		changed, err := changedShare(set)
		if err != nil {
			return err
		}
		bound := "–"
		patch := filepath.Join(b.dir, "patch.zst")
		if err := b.command(ctx, "", "zstd", "-q", "-f", "-3", "--long=27", "--patch-from="+set.old.tar, set.new.tar, "-o", patch); err == nil {
			info, err := os.Stat(patch)
			if err != nil {
				return err
			}
			bound = share(info.Size(), m.Layer)
		}
		delta := m.Delta
		if m.Whole != "" {
			delta = m.Layer
		}
		fmt.Fprintf(out, "| %s | %.1f %% | %s | %s | %s | %s |\n", set.name, 100*changed, size(m.Layer), size(delta), share(delta, m.Layer), bound)
	}
	return ctx.Err()
}

// changedShare is how much of the second version's content is in files that the first one does not have.
func changedShare(set dataset) (float64, error) {
	known := map[digest.Digest]bool{}
	var all, changed int64
	for i, v := range []version{set.old, set.new} {
		err := eachFile(v.dir, func(path string) error {
			l, sum, err := layerOf(path)
			if i == 0 {
				known[sum] = true
				return err
			}
			all += l.Size
			if !known[sum] {
				changed += l.Size
			}
			return err
		})
		if err != nil {
			return 0, err
		}
	}
	return float64(changed) / float64(max(all, 1)), nil
}

// costTable is what making and applying deltas costs, beside compressing the layer.
func (b *bench) costTable(ctx context.Context, out io.Writer, set dataset) error {
	fmt.Fprintf(out, "\n### Cost\n\nTime and, after it, processor time of the user and the system, as multiples of what `gzip` at its default level needs for the\nnew layer once, and the memory at most. Making a delta includes reading the base and proving the delta by rebuilding the\nlayer, which keeps two processors busy; applying includes reading the base. Layers of %s.\n\n", set.name)
	fmt.Fprint(out, "| Layer by | Plaintext | `gzip` | Making | Memory | Applying | Memory |\n|---|--:|--:|--:|--:|--:|--:|\n")
	for _, compressor := range [][]string{{"gzip", "-n", "-1"}, {"gzip", "-n"}} {
		if err := b.costRow(ctx, out, compressor, set); err != nil {
			return err
		}
	}
	if b.big == 0 {
		return ctx.Err()
	}
	big, err := b.bigSet(set)
	if err != nil {
		return err
	}
	return b.costRow(ctx, out, []string{"gzip", "-n"}, big)
}

func (b *bench) costRow(ctx context.Context, out io.Writer, compressor []string, set dataset) error {
	t := filter(compressor...)
	if !b.has(t) {
		return nil
	}
	fmt.Fprintf(b.progress, "cost: %s of %s\n", t.name, set.name)
	old, next, err := b.layers(ctx, t, set)
	if err != nil {
		return err
	}
	compress, err := b.filtered(ctx, set.new.tar, filepath.Join(b.dir, "again"), "gzip", "-n")
	if err != nil {
		return err
	}
	m, err := b.measure(ctx, old, next)
	if err != nil {
		return err
	}
	if m.Whole != "" {
		return fmt.Errorf("%s: %s", t.name, m.Whole)
	}
	times := func(c cost) string {
		return fmt.Sprintf("%.1f ×, %.1f ×", c.elapsed.Seconds()/compress.elapsed.Seconds(), c.cpu.Seconds()/compress.cpu.Seconds())
	}
	fmt.Fprintf(out, "| %s | %s | %.1f s | %s | %s | %s | %s |\n", t.name, size(m.Plain), compress.elapsed.Seconds(),
		times(m.make), size(m.make.memory), times(m.apply), size(m.apply.memory))
	return ctx.Err()
}

// bigSet repeats the data set's files in other bytes until they are large: nothing repeats inside of a layer.
func (b *bench) bigSet(set dataset) (dataset, error) {
	big := dataset{name: "a large layer"}
	for i, v := range []*version{&big.old, &big.new} {
		v.tar = filepath.Join(b.dir, fmt.Sprint("big-", i))
		f, err := os.Create(v.tar)
		if err != nil {
			return big, err
		}
		if err := errors.Join(b.repeat([]version{set.old, set.new}[i].tar, f), f.Close()); err != nil {
			return big, err
		}
	}
	return big, nil
}

// repeat writes the files of a tar again and again, each time with all bytes of their content turned by another number.
func (b *bench) repeat(from string, to io.Writer) error {
	w := tar.NewWriter(to)
	for written, round := int64(0), 0; written < b.big<<20; round++ {
		f, err := os.Open(from)
		if err != nil {
			return err
		}
		n, err := turned(w, tar.NewReader(f), round)
		f.Close() // opened for reading
		if err != nil {
			return err
		}
		written += n
	}
	return w.Close()
}

// turned writes the files of a tar and returns how many bytes they have.
func turned(w *tar.Writer, r *tar.Reader, round int) (written int64, err error) {
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return written, nil
		}
		if err != nil {
			return written, err
		}
		h.Name = fmt.Sprint("round-", round, "/", h.Name)
		data, err := io.ReadAll(r)
		if err != nil {
			return written, err
		}
		for i := range data {
			data[i] ^= byte(round)
		}
		if err := w.WriteHeader(h); err != nil {
			return written, err
		}
		if _, err := w.Write(data); err != nil {
			return written, err
		}
		written += h.Size
	}
}

func size(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

func share(n, of int64) string { return fmt.Sprintf("%.2f %%", 100*float64(n)/float64(max(of, 1))) }
