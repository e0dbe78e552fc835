package mirror_test

import (
	"context"
	"maps"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/ecrkit/ecrkit/mirror"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// paced are layouts that pace their requests, as repositories of registries do.
type paced struct {
	layouts
	mu       sync.Mutex
	expected map[string][]map[string]int // by registry
}

func (o *paced) Target(_ context.Context, repository string) (content.Target, error) {
	host, _, _ := strings.Cut(repository, "/")
	return pacedTarget{layout.New(o.dir + "/" + repository), o, host}, nil
}

type pacedTarget struct {
	*layout.Layout
	opener *paced
	host   string
}

func (t pacedTarget) EstimateWrites(missing []content.Descriptor, manifests int) map[string]int {
	return map[string]int{"PutBlob": len(missing), "PutManifest": manifests}
}

func (t pacedTarget) ExpectWrites(calls map[string]int) {
	t.opener.mu.Lock()
	defer t.opener.mu.Unlock()
	t.opener.expected[t.host] = append(t.opener.expected[t.host], calls)
}

// TestApplyTellsRegistriesWhatIsToCome checks that each registry is told once how many requests it gets from all repositories
// of a plan.
func TestApplyTellsRegistriesWhatIsToCome(t *testing.T) {
	t.Parallel()
	o := &paced{layouts: layouts{t.TempDir()}, expected: map[string][]map[string]int{}}
	for _, repository := range []string{"web", "db"} {
		o.put("near.example/"+repository, "1")
		o.put("far.example/"+repository, "0") // a layout that does not exist cannot be compared
		o.put("other.example/"+repository, "1")
	}
	config, err := mirror.ReadConfig(strings.NewReader("destinations: [far.example, other.example]\nimages: [{from: near.example/web}, {from: near.example/db}]"), os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := mirror.NewPlan(t.Context(), config, o, mirror.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := mirror.Apply(t.Context(), plan, o, mirror.Options{}); err != nil {
		t.Fatal(err)
	}
	if got, want := o.expected["far.example"], (map[string]int{"PutBlob": 0, "PutManifest": 2}); len(got) != 1 || !maps.Equal(got[0], want) {
		t.Errorf("far.example was told %v, want once %v", got, want)
	}
	if got := o.expected["other.example"]; len(got) != 0 {
		t.Errorf("other.example was told %v, although nothing is to come", got)
	}
}
