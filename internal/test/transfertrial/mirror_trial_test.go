//go:build trial && linux

package transfertrial

import (
	"testing"

	"github.com/ecrkit/ecrkit/localecr"
)

// TestTrialMirrorMemory copies 100 indexes of 10 repositories with 215 MB of blobs.
func TestTrialMirrorMemory(t *testing.T) {
	t.Parallel()
	s := start(t, localecr.Options{})
	config := manyImages{repositories: 10, tags: 10, all: []int{8 * mib}, repository: []int{2 * mib, 2 * mib}, own: 512 * kib}.put(t, s)
	s.memory(t, maxMemoryMirror, "--output", "text", "mirror", "apply", config)
	s.memory(t, maxMemoryMirror, "--output", "text", "mirror", "apply", config)
}
