package mirror_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/mirror"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// A plan reports what is missing at the destinations; Apply copies it.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	opener := layouts{dir}
	opener.put("near.example/team/web", "1.0")
	opener.put("far.example/copy/team/web", "0.9") // a layout that does not exist cannot be compared
	config, err := mirror.ReadConfig(strings.NewReader("destinations: [far.example/copy]\nimages: [{from: near.example/team/web}]"), os.LookupEnv)
	if err != nil {
		log.Fatal(err)
	}
	plan, err := mirror.NewPlan(ctx, config, opener, mirror.Options{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("tags to add:", plan.Count(mirror.AddTag))
	report, err := mirror.Apply(ctx, plan, opener, mirror.Options{})
	if err != nil {
		log.Fatal(err)
	}
	for _, image := range report.Images {
		fmt.Println(image.To, image.Tags)
	}
	// Output:
	// tags to add: 1
	// far.example/copy/team/web [1.0]
}

// layouts are repositories that are OCI layouts in a directory: an opener of one's own. That of registries is
// ref.Repositories.
type layouts struct{ dir string }

func (o layouts) Source(_ context.Context, repository string) (content.Source, error) {
	return layout.New(filepath.Join(o.dir, repository)), nil
}

func (o layouts) Target(_ context.Context, repository string) (content.Target, error) {
	return layout.New(filepath.Join(o.dir, repository)), nil
}

// put stores an image without layers.
func (o layouts) put(repository, tag string) {
	ctx, l := context.Background(), layout.New(filepath.Join(o.dir, repository))
	config := content.Descriptor{MediaType: ocispec.MediaTypeImageConfig, Digest: digest.FromString("{}"), Size: 2}
	if err := l.PutBlob(ctx, config, strings.NewReader("{}")); err != nil {
		log.Fatal(err)
	}
	manifest, err := json.Marshal(ocispec.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest, Config: config, Layers: []content.Descriptor{}})
	if err != nil {
		log.Fatal(err)
	}
	if err := l.PutTagged(ctx, content.NewManifest(manifest, ocispec.MediaTypeImageManifest), tag); err != nil {
		log.Fatal(err)
	}
}

// Rules select tags; each decision names the rule that made it.
func ExampleTagRules_Select() {
	rules := mirror.TagRules{Match: mirror.Patterns{"v*"}, Exclude: mirror.Patterns{"*-rc*"}, Latest: 1, By: mirror.BySemver}
	tags := []mirror.Tag{{Name: "v1.9.0"}, {Name: "v1.10.0"}, {Name: "v2.0.0-rc1"}, {Name: "latest"}}
	decisions, err := rules.Select(tags, time.Now())
	if err != nil {
		fmt.Println(err)
	}
	for _, d := range decisions {
		fmt.Println(d.Tag, d.Selected, d.Rule)
	}
	// Output:
	// v1.9.0 false latest 1 by semver
	// v1.10.0 true latest 1 by semver
	// v2.0.0-rc1 false exclude *-rc*
	// latest false match
}
