package house

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// TestDigestsAreLinked has each package that others can import, and that needs go-digest, link the hashes of digests
// itself. A program that links none panics where a digest is computed, and takes each digest for one of an unknown
// algorithm: go-digest does not link them.
func TestDigestsAreLinked(t *testing.T) {
	t.Parallel()
	all := load(t)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		p := all[name]
		if strings.Contains("/"+name+"/", "/internal/") || !slices.Contains(p.deps, "github.com/opencontainers/go-digest") {
			continue
		}
		for _, hash := range []string{"crypto/sha256", "crypto/sha512"} {
			if !slices.Contains(p.deps, hash) {
				t.Errorf("%s needs go-digest and not %s", name, hash)
			}
		}
	}
}
