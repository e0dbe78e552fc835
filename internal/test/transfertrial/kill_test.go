//go:build linux

package transfertrial

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ecrkit/ecrkit/localecr"
)

const (
	partSize  = 10 * mib // of an upload
	rangeSize = 8 * mib  // of a download, at most
	// configSize is how many bytes the config of the image has at most, which comes again beside the ranges of the layer.
	configSize = 64
)

func TestKill(t *testing.T) {
	t.Parallel()
	kill(t, 2, 40*mib, 2)
}

// kill kills ecrkit so many times in a push and in a pull of one layer, each time after
// a random number of bytes that the server has received or sent, and runs it again
// until the layer is complete.
func kill(t *testing.T, kills int, size, connections int64) {
	m := makeImage(t, random, size)
	most := atMost(connections)
	t.Run("push", func(t *testing.T) {
		t.Parallel()
		dice := rand.New(rand.NewPCG(4, 2))
		var again []int64
		for done := 0; done < kills; {
			if !t.Run("layer", func(t *testing.T) { again = append(again, killPush(t, m, dice, kills-done, most)...) }) {
				return
			}
			done = len(again)
		}
		report(t, again, connections*partSize)
	})
	t.Run("pull", func(t *testing.T) {
		t.Parallel()
		dice := rand.New(rand.NewPCG(4, 3))
		s := start(t, localecr.Options{})
		s.run("push", "-q", "oci:"+m.dir, s.image("app", "x"))
		var again []int64
		for done := 0; done < kills; {
			if !t.Run("layer", func(t *testing.T) { again = append(again, killPull(t, s, m, dice, kills-done, most)...) }) {
				return
			}
			done = len(again)
		}
		report(t, again, connections*rangeSize+configSize)
	})
}

// atMost is the flags of a quiet run with so many connections for one layer.
func atMost(connections int64) []string {
	return []string{"--quiet", "--connections", fmt.Sprint(connections)}
}

// report logs how many bytes were moved again after each kill, and fails if they
// are more than limit.
func report(t *testing.T, again []int64, limit int64) {
	t.Helper()
	sorted := slices.Sorted(slices.Values(again))
	t.Logf("%d kills; bytes moved again after one: median %.1f MiB, maximum %.1f MiB, limit %d MiB",
		len(again), float64(sorted[len(sorted)/2])/mib, float64(sorted[len(sorted)-1])/mib, limit/mib)
	if most := sorted[len(sorted)-1]; most > limit {
		t.Errorf("after one kill %d bytes were moved again, more than %d", most, limit)
	}
}

// killAfter runs ecrkit and kills it when the server has moved n bytes. It tells
// whether it was killed; if not, it has done its work.
func (s *site) killAfter(n int64, args ...string) bool {
	s.t.Helper()
	return s.kill(s.command(args...), n, 0)
}

// kill is killAfter of a command, and so much later.
func (s *site) kill(cmd *exec.Cmd, n int64, later time.Duration) bool {
	s.t.Helper()
	output := newOutput(cmd)
	kill := func() { _ = cmd.Process.Kill() } // fails if it has ended
	if later > 0 {
		now := kill
		kill = func() { time.AfterFunc(later, now) }
	}
	s.startAfter(cmd, n, kill)
	err := cmd.Wait()
	s.meter.after(1<<60, nil)
	s.meter.wait() // the server still works on what it has got
	if err == nil {
		return false
	}
	if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != -1 {
		s.t.Fatalf("%v: %v\n%s", cmd.Args, err, output)
	}
	return true
}

// startAfter starts a command, and has f called when n bytes have passed since, before the server goes on.
func (s *site) startAfter(cmd *exec.Cmd, n int64, f func()) {
	s.t.Helper()
	started := make(chan struct{})
	s.meter.after(n, func() {
		<-started
		f()
	})
	err := cmd.Start()
	close(started)
	check(s.t, err)
}

// killPush pushes one layer to a new registry with at most so many kills, and
// returns how many bytes each kill cost.
func killPush(t *testing.T, m made, dice *rand.Rand, kills int, most []string) (again []int64) {
	t.Helper()
	s := start(t, localecr.Options{})
	size := m.layers[0].Size
	has := int64(0) // the server, in parts that it has taken
	for {
		after := int64(1) << 60
		if len(again) < kills {
			after = dice.Int64N(max(size/4, 16*mib) * 2)
		}
		before := s.meter.up.Load()
		killed := s.killAfter(after, append([]string{"push", "--upload", "native", "oci:" + m.dir, s.image("app", "x")}, most...)...)
		sent := (s.meter.up.Load() - before) / 4 * 3
		taken := s.taken()
		if killed {
			again = append(again, max(sent-(taken-has), 0))
		}
		has = taken
		if !killed {
			break
		}
	}
	if has != size {
		t.Errorf("the server took %d bytes of parts of a layer of %d: it was sent some again", has, size)
	}
	for _, c := range s.layerCalls("UploadLayerPart") {
		if c.Range != "" && c.Status != 200 && c.BytesIn > mib {
			t.Errorf("a part was refused, which came out of its order: %+v", c)
		}
	}
	s.nothingLeft()
	dst := filepath.Join(t.TempDir(), "dst")
	s.run("pull", "-q", s.image("app", "x"), "oci:"+dst)
	m.checkLayout(t, dst)
	return again
}

// taken is how many bytes of parts of large layers the server has taken.
func (s *site) taken() (sum int64) {
	for _, c := range s.layerCalls("UploadLayerPart") {
		var first, last int64
		if n, _ := fmt.Sscanf(c.Range, "%d-%d", &first, &last); n == 2 && c.Status == 200 && c.BytesIn > mib {
			sum += last - first + 1
		}
	}
	return sum
}

// killPull pulls one layer into a new layout with at most so many kills, and
// returns how many bytes each kill cost.
func killPull(t *testing.T, s *site, m made, dice *rand.Rand, kills int, most []string) (again []int64) {
	t.Helper()
	size := m.layers[0].Size
	dst := filepath.Join(t.TempDir(), "dst")
	has := int64(0) // the partial file
	for {
		after := int64(1) << 60
		if len(again) < kills {
			after = dice.Int64N(max(size/4, 16*mib) * 2)
		}
		before := s.meter.down.Load()
		killed := s.killAfter(after, append([]string{"pull", s.image("app", "x"), "oci:" + dst}, most...)...)
		sent := s.meter.down.Load() - before
		if !killed {
			break
		}
		written := m.written(t, dst)
		again = append(again, max(sent-(written-has), 0))
		has = written
	}
	s.nothingLeft(dst)
	m.checkLayout(t, dst)
	return again
}

// written is how many bytes of the layer are in its file or in its partial file.
func (m made) written(t *testing.T, dir string) (sum int64) {
	t.Helper()
	d := m.layers[0]
	if _, err := os.Stat(filepath.Join(dir, "blobs", "sha256", d.Digest.Encoded())); err == nil {
		return d.Size
	}
	spans, err := os.ReadFile(filepath.Join(dir, ".ecrkit-"+d.Digest.Encoded()+".spans"))
	if err != nil {
		return 0 // it was killed before there was one
	}
	for line := range strings.Lines(string(spans)) {
		var first, length int64
		if n, _ := fmt.Sscanf(line, "%d %d\n", &first, &length); n == 2 {
			sum += length
		}
	}
	return sum
}
