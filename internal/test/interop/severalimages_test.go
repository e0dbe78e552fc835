//go:build interop

package interop

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// severalImages moves archives that hold more than one image.
func (w *site) severalImages(t *testing.T, kinds []kind, pushed, to string) {
	single := slices.DeleteFunc(slices.Clone(kinds), func(k kind) bool { return !k.single() })

	t.Run("saved by docker", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "images.tar")
		save := []string{"docker", "save", "--output", file}
		for _, k := range single {
			w.run(t, "docker", "pull", pushed+":"+k.name)
			save = append(save, pushed+":"+k.name)
		}
		w.runLine(t, save)
		for _, k := range single {
			w.wantPushed(t, k, "", "docker-archive:"+file+":"+pushed+":"+k.name, to+":"+k.name+"-saved")
		}
	})

	t.Run("pulled one after the other", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "images.tar")
		for _, k := range kinds {
			w.run(t, "ecrkit", "pull", pushed+":"+k.name, "oci-archive:"+file+":"+k.name)
		}
		for _, k := range kinds {
			imported := to + ":" + k.name + "-imported"
			w.run(t, "regctl", "image", "import", "--name", k.name, imported, file)
			w.wantPulled(t, imported, k.digest)
			w.wantPushed(t, k, k.digest, "oci-archive:"+file+":"+k.name, to+":"+k.name+"-ecrkit")
		}
		for _, k := range single {
			w.wantLoads(t, k, "docker", "load", "--input", file)
		}
	})

	t.Run("all tags", func(t *testing.T) {
		archive := "oci-archive:" + filepath.Join(t.TempDir(), "images.tar")
		w.run(t, "ecrkit", "copy", "--all-tags", pushed, archive)
		w.run(t, "ecrkit", "copy", "--all-tags", "--create-repository", archive, to+"/all")
		var want []string
		for _, k := range kinds {
			wantDigest(t, "crane says", w.run(t, "crane", "digest", to+"/all:"+k.name), k.digest)
			want = append(want, k.name)
		}
		slices.Sort(want)
		if got := slices.Sorted(strings.FieldsSeq(w.run(t, "crane", "ls", to+"/all"))); !slices.Equal(got, want) {
			t.Errorf("crane lists the tags %q, want %q", got, want)
		}
	})
}
