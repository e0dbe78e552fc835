package cli

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/dustin/go-humanize/english"
	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/mirror/media"
	"github.com/ecrkit/ecrkit/transfer/content"
)

const mirrorListHelp = `List the images of sets, which ecrkit mirror export wrote.

  ecrkit mirror ls usb/
  ecrkit mirror ls week1/ week2/ --output json
  ecrkit mirror ls usb/ --key release.pub

For each set it prints its ID, its size, whether it has parity and a signature, which other sets
carried what it was made without, and a table: repository at the source, tags, size of the image
with all its layers, digest. What refers to an image, such as a signature, has its type instead of
tags. Without --key, signatures are not verified; ecrkit mirror verify reads all bytes.

With --output json one object: sets, with path, signed, bases, and what is in set.json; each image
has contentSize too, in bytes.`

func newMirrorListCommand(app *App) *cobra.Command {
	var keys []string
	cmd := &cobra.Command{
		Use:   "ls DIR|FILE...",
		Short: "List the images of sets",
		Long:  mirrorListHelp,
		Args:  atLeast("DIR|FILE"),
		RunE:  func(cmd *cobra.Command, args []string) error { return app.listSets(cmd.Context(), args, keys) },
	}
	addSetKeyFlag(cmd, &keys)
	return cmd
}

// listedSet is the JSON form of a set that ls prints.
type listedSet struct {
	Path   string `json:"path"`
	Signed bool   `json:"signed"` // by whom is checked with keys only
	media.Set
	Bases  []digest.Digest `json:"bases,omitempty"`
	Images []listedImage   `json:"images"` // last, and empty: writeSet adds each when it is written

	sizes []int64 // of the contents of the images of Set
}

// listedImage is an image of it.
type listedImage struct {
	media.Image
	ContentSize int64 `json:"contentSize"` // of its manifests and blobs, in bytes
}

func (app *App) listSets(ctx context.Context, dirs, keys []string) error {
	options, err := app.setOptions(ctx, keys)
	if err != nil {
		return err
	}
	defer app.limitMemoryTo(listMemory)()
	var sets []listedSet
	var failures []error
	for _, dir := range dirs {
		s, err := listSet(ctx, dir, options)
		if err != nil {
			failures = append(failures, noSet(dir, namesSets, err))
			continue
		}
		sets = append(sets, s)
	}
	if len(sets) > 0 {
		if err := app.printSets(sets); err != nil {
			return err
		}
	}
	return partly(len(sets), failures)
}

// printSets prints the sets, which may have many images.
func (app *App) printSets(sets []listedSet) error {
	if app.Output == outputJSON {
		return app.printLongResult(func(w io.Writer) error { return writeSets(w, sets) })
	}
	out := bufio.NewWriter(app.Stdout)
	for i, s := range sets {
		if i > 0 {
			_ = out.WriteByte('\n') // Flush returns the first error
		}
		s.print(out, app.columns())
	}
	return out.Flush()
}

// writeSets writes the JSON object with the sets, without the brace that ends it.
func writeSets(w io.Writer, sets []listedSet) error {
	if _, err := io.WriteString(w, `{"sets":[`); err != nil {
		return err
	}
	for i, s := range sets {
		if i > 0 {
			if _, err := io.WriteString(w, ","); err != nil {
				return err
			}
		}
		if err := s.write(w); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, "]")
	return err
}

// write writes the JSON form of a set, image by image.
func (s listedSet) write(w io.Writer) error {
	head, err := json.Marshal(s)
	if err != nil {
		return err
	}
	const end = "]}"
	if _, err := w.Write(bytes.TrimSuffix(head, []byte(end))); err != nil {
		return err
	}
	for i, image := range s.Set.Images {
		data, err := json.Marshal(listedImage{image, s.sizes[i]})
		if err != nil {
			return err
		}
		if i > 0 {
			data = append([]byte{','}, data...)
		}
		if _, err := w.Write(data); err != nil {
			return err
		}
	}
	_, err = io.WriteString(w, end)
	return err
}

func listSet(ctx context.Context, dir string, options media.ReadOptions) (s listedSet, err error) {
	r, err := media.Open(dir, options)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	s = listedSet{Path: dir, Signed: r.Signed(), Set: r.Set, Bases: r.Bases(), Images: []listedImage{}}
	for _, image := range r.Images {
		if image.ContentSize > 0 { // the destination has it, and the set does not
			s.sizes = append(s.sizes, image.ContentSize)
			continue
		}
		contents, err := r.Contents(ctx, image)
		if err != nil {
			return s, err
		}
		size := content.TotalSize(contents.Blobs)
		for _, m := range contents.Manifests {
			size += m.Descriptor.Size
		}
		s.sizes = append(s.sizes, size)
	}
	return s, nil
}

// print writes the set for people.
func (s listedSet) print(out io.Writer, columns int) {
	fmt.Fprintf(out, "%s: set %s\n", printable(s.Path), s.ID)
	fmt.Fprintf(out, "  %s, %s in %s", english.Plural(tagged(s.Set), "image", ""), blobs(s.Blobs, s.Size), english.Plural(max(1, len(s.Parts)), "part", ""))
	if s.Parity != nil {
		fmt.Fprint(out, ", with parity")
	}
	if s.Signed {
		fmt.Fprint(out, ", signed")
	}
	fmt.Fprintln(out)
	if len(s.Needs) > 0 {
		bytes := int64(0)
		seen := map[digest.Digest]bool{}
		for _, n := range s.Needs {
			if !seen[n.Digest] {
				seen[n.Digest] = true
				bytes += n.Size
			}
		}
		fmt.Fprintf(out, "  needs %s at the destination\n", blobs(len(seen), bytes))
	}
	for _, base := range s.Bases {
		fmt.Fprintf(out, "  from set %s\n", base)
	}
	t := &table{header: []string{"REPOSITORY", "TAGS", "SIZE", "DIGEST"}}
	for _, i := range s.inOrder() {
		image := s.Set.Images[i]
		tags := strings.Join(image.Tags, ", ")
		if tags == "" && image.Subject != "" {
			tags = "(" + image.ArtifactType + ")"
		}
		t.add(image.Repository, tags, showSize(s.sizes[i]), showDigest(image.Digest, columns))
	}
	_ = t.print(out, columns) // the caller finds out when it flushes
}

// inOrder returns the positions of the images, by repository and first tag, those without tags last.
func (s listedSet) inOrder() []int {
	order := make([]int, len(s.Set.Images))
	for i := range order {
		order[i] = i
	}
	first := func(i media.Image) string {
		if len(i.Tags) == 0 {
			return ""
		}
		return i.Tags[0]
	}
	slices.SortStableFunc(order, func(i, j int) int {
		a, b := s.Set.Images[i], s.Set.Images[j]
		return cmp.Or(strings.Compare(a.Repository, b.Repository), compareTags(first(a), first(b)))
	})
	return order
}
