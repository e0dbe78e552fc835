//go:build trial && linux

package transfertrial

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ecrkit/ecrkit/localecr"
)

// maxMemoryPlan is what the plan of 100,000 tags may need at most, in bytes.
const maxMemoryPlan = 256 * mib

// TestTrialMirrorMemory copies 100 indexes of 10 repositories with 215 MB of blobs.
func TestTrialMirrorMemory(t *testing.T) {
	s := start(t, localecr.Options{})
	config := manyImages{repositories: 10, tags: 10, all: []int{8 * mib}, repository: []int{2 * mib, 2 * mib}, own: 512 * kib}.put(t, s)
	s.memory(t, maxMemoryMirror, "--output", "text", "mirror", "apply", config)
	s.memory(t, maxMemoryMirror, "--output", "text", "mirror", "apply", config)
}

// TestTrialMirrorScale plans 10,000 and 100,000 tags: the requests grow as the tags do, and the memory is bounded.
func TestTrialMirrorScale(t *testing.T) {
	requests := map[int]int{}
	for _, repositories := range []int{100, 1000} {
		s := start(t, localecr.Options{})
		config := manyImages{repositories: repositories, tags: 100, all: []int{100}}.put(t, s)
		saved := filepath.Join(t.TempDir(), "plan.json")
		s.calls.Reset()
		s.memory(t, maxMemoryPlan, "--output", "json", "mirror", "plan", config, "--save", saved)
		requests[repositories] = len(s.calls.Calls())
		t.Logf("%d tags: %v", 100*repositories, s.counts())
		info, err := os.Stat(saved)
		check(t, err)
		t.Logf("%d tags: a plan of %.1f MiB", 100*repositories, float64(info.Size())/mib)
		s.calls.Reset()
		s.memory(t, maxMemoryPlan, "--output", "json", "mirror", "plan", config, "--shard", "3/8")
		t.Logf("%d tags, shard 3/8: %v", 100*repositories, s.counts())
	}
	if few, many := requests[100], requests[1000]; many > 10*few {
		t.Errorf("%d requests for 10,000 tags, %d for 100,000", few, many)
	}
}

// counts are the calls by operation.
func (s *site) counts() map[string]int {
	counts := map[string]int{}
	for _, c := range s.calls.Calls() {
		counts[c.Op]++
	}
	return counts
}
