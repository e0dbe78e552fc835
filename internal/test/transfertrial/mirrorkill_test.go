//go:build linux

package transfertrial

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/localecr"
)

func TestMirrorKill(t *testing.T) {
	t.Parallel()
	mirrorKill(t, 2, 0, 3*mib, mib)
}

// mirrorKill kills exports and imports of a set at so many random points: after a number of bytes, or a while after
// the last one. What is there then is no set, or the whole; no image that is not whole has a tag. Run
// again, they end with the same bytes.
//
// With a number of connections, what is moved again after that is what was on its way over them, a part each. 0 is as many
// as there are by default, which is too many to bound anything but a large image. Then imports send parts: a layer that goes to
// a registry nearby by one PUT begins again.
func mirrorKill(t *testing.T, points, connections int, sizes ...int64) {
	k := &mirrorKiller{points: points, connections: connections, image: makeImage(t, random, sizes...), limit: 8 * partSize, reference: t.TempDir()}
	for _, size := range sizes {
		k.total += size
	}
	if connections > 0 {
		k.limit = int64(connections) * partSize
	}
	s := k.site(t)
	for i, form := range []string{"set", "set.tar"} {
		s.run("mirror", "export", s.image("app", "x"), "--to", filepath.Join(k.reference, form))
		t.Run("export to "+form, func(t *testing.T) {
			t.Parallel()
			k.exports(t, form, rand.New(rand.NewPCG(7, uint64(i))))
		})
	}
	for i, form := range []string{"set", "set.tar", "-"} {
		t.Run("import from "+form, func(t *testing.T) {
			t.Parallel()
			k.imports(t, form, rand.New(rand.NewPCG(8, uint64(i))))
		})
	}
}

// mirrorKiller is what the exports and imports of a test have in common. Each form of a set has a local ECR of its own.
type mirrorKiller struct {
	points, connections int
	image               made
	total, limit        int64  // bytes of the image, and of what may be moved again
	reference           string // directory with a set in both forms
}

// site starts a local ECR that has the image.
func (k *mirrorKiller) site(t *testing.T) *site {
	s := start(t, localecr.Options{})
	if k.connections > 0 {
		s.config = filepath.Join(t.TempDir(), "ecrkit.yaml")
		check(t, os.WriteFile(s.config, fmt.Appendf(nil, "transfer: {max_connections: %d}\n", k.connections), 0o600))
	}
	s.run("push", "-q", "oci:"+k.image.dir, s.image("app", "x"))
	return s
}

// point is where run i is killed. One in four is so late that all bytes have been moved, but not the first.
func (k *mirrorKiller) point(dice *rand.Rand, i int) (after int64, later time.Duration) {
	if late := dice.IntN(4) == 0; late && i > 0 {
		return k.total, time.Duration(dice.Int64N(int64(60 * time.Millisecond)))
	}
	return dice.Int64N(k.total), 0
}

// exports kills exports to one form of a set.
func (k *mirrorKiller) exports(t *testing.T, form string, dice *rand.Rand) {
	s, dir := k.site(t), t.TempDir()
	reference := filepath.Join(dir, "reference", form)
	check(t, os.MkdirAll(filepath.Dir(reference), 0o777))
	s.run("mirror", "export", s.image("app", "x"), "--to", reference)
	want := setBytes(t, reference)
	killed, again := 0, []int64{}
	for i := range k.points {
		to := filepath.Join(dir, fmt.Sprint(i), form)
		check(t, os.MkdirAll(filepath.Dir(to), 0o777))
		export := func() *exec.Cmd {
			return s.command("mirror", "export", s.image("app", "x"), "--to", to, "--quiet", "--progress", "none")
		}
		before := s.meter.down.Load()
		after, later := k.point(dice, i)
		if s.kill(export(), after, later) {
			killed++
			if out, err := s.command("mirror", "verify", to).CombinedOutput(); err == nil && !bytes.Equal(setBytes(t, to, files.TempPrefix), want) {
				t.Errorf("killed after %d bytes, another set is whole: %s", after, out)
			}
			if s.kill(export(), 1<<60, 0) {
				t.Error("it was killed again")
			}
		}
		if !bytes.Equal(setBytes(t, to), want) {
			t.Errorf("killed after %d bytes: the set has other bytes", after)
		}
		again = append(again, s.meter.down.Load()-before-k.total)
		left, err := os.ReadDir(filepath.Dir(to))
		check(t, err)
		if len(left) != 1 {
			t.Errorf("left behind: %v", left)
		}
		check(t, os.RemoveAll(filepath.Dir(to)))
	}
	t.Logf("%d of %d exports were killed", killed, k.points)
	if killed == 0 {
		t.Error("no export was killed")
	}
	report(t, again, k.limit) // what is on its way over the connections of a layer
}

// imports kills imports from one form of a set, or of the file from stdin.
func (k *mirrorKiller) imports(t *testing.T, form string, dice *rand.Rand) {
	s := k.site(t)
	killed, again := 0, []int64{}
	whole, limit := k.total, k.limit
	if k.connections > 0 {
		limit = limit / 3 * 4 // in base64
		before := s.meter.up.Load()
		s.run("mirror", "import", filepath.Join(k.reference, "set"), s.registry+"/whole", "--quiet")
		whole = s.meter.up.Load() - before
	}
	for i := range k.points {
		prefix := fmt.Sprintf("%s/%d", s.registry, i)
		load := func() *exec.Cmd {
			from := form
			if form != "-" {
				from = filepath.Join(k.reference, form)
			}
			cmd := s.command("mirror", "import", from, prefix, "--quiet", "--progress", "none")
			if form == "-" {
				in, err := os.Open(filepath.Join(k.reference, "set.tar"))
				check(t, err)
				t.Cleanup(func() { _ = in.Close() }) // opened for reading
				cmd.Stdin = in
			}
			return cmd
		}
		pull := func() ([]byte, error) {
			dst := filepath.Join(t.TempDir(), "dst")
			out, err := s.command("pull", "-q", prefix+"/app:x", "oci:"+dst).CombinedOutput()
			if err == nil {
				k.image.checkLayout(t, dst)
			}
			return out, err
		}
		before := s.meter.up.Load()
		after, later := k.point(dice, i)
		if s.kill(load(), after, later) {
			killed++
			if out, err := pull(); err != nil && !bytes.Contains(out, []byte("not found")) && !bytes.Contains(out, []byte("does not exist")) {
				t.Errorf("killed after %d bytes: %s", after, out)
			}
			if s.kill(load(), 1<<60, 0) {
				t.Error("it was killed again")
			}
		}
		if out, err := pull(); err != nil {
			t.Errorf("killed after %d bytes: %s", after, out)
		}
		again = append(again, max(0, s.meter.up.Load()-before-whole))
	}
	t.Logf("%d of %d imports were killed", killed, k.points)
	if killed == 0 {
		t.Error("no import was killed")
	}
	report(t, again, limit) // what is on its way over the connections of a layer
	s.nothingLeft()
}

// setBytes are the bytes of a set: of a file, or of the files in a directory, except those whose names begin with one
// of without.
func setBytes(t *testing.T, path string, without ...string) (all []byte) {
	t.Helper()
	check(t, filepath.WalkDir(path, func(path string, entry os.DirEntry, err error) error {
		hidden := slices.ContainsFunc(without, func(prefix string) bool { return strings.HasPrefix(entry.Name(), prefix) })
		if err != nil || entry.IsDir() || hidden {
			return err
		}
		data, err := os.ReadFile(path)
		all = append(append(all, entry.Name()...), data...)
		return err
	}))
	return all
}
