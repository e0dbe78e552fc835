package media

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ecrkit/ecrkit/internal/test/memory"
	"github.com/ecrkit/ecrkit/mirror/inventory"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// importAll imports a set, and returns its receipt.
func importAll(t *testing.T, dir string, far world) (inventory.Inventory, error) {
	t.Helper()
	r, err := Open(dir, ReadOptions{})
	check(t, err)
	defer r.Close()
	if err := r.CheckNeeds(t.Context(), func(ctx context.Context, name string) (content.Target, error) { return far.Target(ctx, name) }); err != nil {
		return inventory.Inventory{}, err
	}
	r.UseDestination("", far.Source)
	for _, image := range r.Images {
		src, err := r.Repository(image.Repository)
		check(t, err)
		dst, err := far.Target(t.Context(), image.Name)
		check(t, err)
		_, err = transfer.Copy(t.Context(), src, dst, transfer.Options{Reference: string(image.Digest), Tags: image.Tags})
		check(t, err)
	}
	return r.Receipt(t.Context())
}

// chain exports a full set and n deltas, each by the receipt of the one before, and imports them in order: the
// destination is what the source is. Without one of them, the next is refused, and the missing one is named.
func chain(t *testing.T, n int) {
	w, c := newWorld(t)
	far, gap := world{}, world{}
	var have []inventory.Inventory
	var dirs []string
	var sets []Set
	for i := range n + 1 {
		if i > 0 {
			w["a.example/web"].put(t, fmt.Sprint("new", i), uint64(10+i), 700)
		}
		dir := t.TempDir()
		s, err := Export(t.Context(), c, w, dir, ExportOptions{Have: have})
		check(t, err)
		if i > 0 && s.Size > 256<<10 {
			t.Errorf("set %d has %d bytes for a layer of 700", i, s.Size)
		}
		receipt, err := importAll(t, dir, far)
		check(t, err)
		have = []inventory.Inventory{receipt}
		dirs, sets = append(dirs, dir), append(sets, s)
	}
	for name, repository := range map[string]*repository{"web": w["a.example/web"], "team/db": w["a.example/db"]} {
		for _, tag := range repository.tags {
			want, err := repository.Resolve(t.Context(), tag)
			check(t, err)
			got, err := far[name].Resolve(t.Context(), tag)
			if err != nil || got.Descriptor.Digest != want.Descriptor.Digest {
				t.Errorf("%s:%s: %v %v", name, tag, got.Descriptor.Digest, err)
			}
		}
	}
	// The last but one is lost.
	for i, dir := range dirs {
		if i == n-1 {
			continue
		}
		_, err := importAll(t, dir, gap)
		if i < n {
			check(t, err)
			continue
		}
		if !errors.Is(err, ErrRequiredBlobs) || !strings.Contains(err.Error(), string(sets[n-1].ID)) {
			t.Errorf("without set %d: %v", n-1, err)
		}
		if _, err := gap["web"].Resolve(t.Context(), fmt.Sprint("new", n)); !errors.Is(err, content.ErrNotFound) {
			t.Errorf("something of a refused set was written: %v", err)
		}
	}
}

func TestChain(t *testing.T) { chain(t, 3) }

// TestReceiptOfOthers has bases that no receipt knows.
func TestReceiptOfOthers(t *testing.T) {
	w, c := newWorld(t)
	first := t.TempDir()
	s, err := export(t, w, c, first, 0)
	check(t, err)
	if len(s.Bases()) != 0 {
		t.Error(s.Bases())
	}
	far := world{"web": {Store: memory.New("web")}}
	receipt, err := importAll(t, first, far)
	check(t, err)
	if len(receipt.Sets) != 1 || len(receipt.Sets[s.ID]) == 0 {
		t.Errorf("%+v", receipt.Sets)
	}
	receipt.Sets = nil
	w["a.example/web"].put(t, "3", 1, 3<<20, 700)
	second, err := Export(t.Context(), c, w, t.TempDir(), ExportOptions{Have: []inventory.Inventory{receipt}})
	check(t, err)
	if len(second.Needs) == 0 || len(second.Bases()) != 0 {
		t.Errorf("%v %v", second.Needs, second.Bases())
	}
}
