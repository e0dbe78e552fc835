//go:build linux

package transfertrial

import (
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/ecrkit/ecrkit/localecr"
)

func TestResets(t *testing.T) {
	t.Parallel()
	reset(t, 2, 40*mib)
}

// reset has the server reset so many connections in one layer, each after a random
// number of bytes.
func reset(t *testing.T, resets int, size int64) {
	dice := rand.New(rand.NewPCG(1, 10))
	m := makeImage(t, random, size)
	s := startPlain(t, localecr.Options{})

	check(t, s.server.SetFaults(scatter(dice, resets, "UploadLayerPart", partSize/3*4, func(f *localecr.Fault, n int64) { f.ResetRequestAfter = &n })...))
	s.run("push", "-q", "oci:"+m.dir, s.image("app", "x"))
	again := s.layerBytes("UploadLayerPart", func(c localecr.Call) int64 { return c.BytesIn })/4*3 - size
	t.Logf("push: %d connections reset, %.1f MiB sent again", s.cut("UploadLayerPart"), float64(again)/mib)
	if again > int64(resets)*partSize || s.cut("UploadLayerPart") != resets {
		t.Errorf("after %d resets %d bytes were sent again", s.cut("UploadLayerPart"), again)
	}
	s.nothingLeft()
	s.calls.Reset()

	check(t, s.server.SetFaults(scatter(dice, resets, getLayer, rangeSize, func(f *localecr.Fault, n int64) { f.ResetResponseAfter = &n })...))
	dst := filepath.Join(t.TempDir(), "dst")
	s.run("pull", "-q", s.image("app", "x"), "oci:"+dst)
	again = s.layerBytes(getLayer, func(c localecr.Call) int64 { return c.BytesOut }) - size
	t.Logf("pull: %d connections reset, %.1f MiB sent again", s.cut(getLayer), float64(again)/mib)
	if again > int64(resets)*rangeSize || s.cut(getLayer) == 0 {
		t.Errorf("after %d resets %d bytes were sent again", s.cut(getLayer), again)
	}
	s.nothingLeft(dst)
	m.checkLayout(t, dst)
}

// getLayer is how the audit log calls a download.
const getLayer = "GET /layers/{digest}"

// scatter makes n faults of the first n+n/2 calls of an operation, each after less than
// max bytes.
func scatter(dice *rand.Rand, n int, op string, max int64, how func(*localecr.Fault, int64)) []localecr.Fault {
	faults := make([]localecr.Fault, n)
	for i, nth := range dice.Perm(n + n/2)[:n] {
		faults[i] = localecr.Fault{Op: op, Nth: nth + 1}
		how(&faults[i], dice.Int64N(max))
	}
	return faults
}

// layerBytes adds up bytes of the calls of an operation that are about a large layer.
func (s *site) layerBytes(op string, of func(localecr.Call) int64) (sum int64) {
	for _, c := range s.layerCalls(op) {
		if n := of(c); c.Error != "" || n > 64*kib {
			sum += n
		}
	}
	return sum
}

// cut is how many connections the faults have cut.
func (s *site) cut(op string) (n int) {
	for _, c := range s.layerCalls(op) {
		if c.Status == 0 || c.Error == "cut by a scripted fault" {
			n++
		}
	}
	return n
}
