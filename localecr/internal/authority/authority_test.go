package authority

import (
	"sync"
	"testing"
)

// TestOpenTogether has many servers open the same directory at their first start: all have one authority.
func TestOpenTogether(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	opened := make([]*Authority, 16)
	var servers sync.WaitGroup
	for i := range opened {
		servers.Go(func() {
			a, err := Open(t.Context(), dir)
			if err != nil {
				t.Error(err)
			}
			opened[i] = a
		})
	}
	servers.Wait()
	for _, a := range opened {
		if a == nil || !a.Certificate.Equal(opened[0].Certificate) {
			t.Fatal("servers have different authorities")
		}
	}
}
