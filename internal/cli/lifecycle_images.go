package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/ecrkit/ecrkit/internal/governance"
	"github.com/ecrkit/ecrkit/lifecycle"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

// evaluationInput is what is evaluated: policies, in the order in which they were asked
// for, and the images of a repository.
type evaluationInput struct {
	policies  []*lifecycle.Policy
	inventory lifecycle.Inventory
	at        time.Time
	// live reports whether all images of the repository were read now, and not a list of them.
	live bool
}

// evaluationInput reads what flags say. names are the files of policies; "" is the policy
// of the repository, if --images names one.
func (app *App) evaluationInput(ctx context.Context, f evaluationFlags, names ...string) (evaluationInput, error) {
	var in evaluationInput
	reference, live := app.imagesRepository(f.images)
	if err := f.check(live, names...); err != nil {
		return in, err
	}
	var err error
	if in.at, err = f.time(app.Now()); err != nil {
		return in, err
	}
	in.live = live
	var registry *governance.Registry
	if live {
		if registry, err = app.governanceOf(ctx, reference.Registry); err != nil {
			return in, err
		}
	}
	for _, name := range names {
		var policy *lifecycle.Policy
		if name == "" {
			policy, err = ownPolicy(ctx, registry, reference)
		} else {
			policy, err = app.readPolicy(name)
		}
		if err != nil {
			return in, err
		}
		in.policies = append(in.policies, policy)
	}
	if live {
		in.inventory, err = registry.Images(ctx, reference.Repository, f.manifests.For(in.policies...))
		if f.at == "" {
			in.at = notBefore(in.at, in.inventory.Images)
		}
	} else {
		in.inventory, err = app.readInventory(f.images)
	}
	return in, err
}

// notBefore is the time of images that were read now: at, or when the last of them was
// pushed, if the clock here is behind.
func notBefore(at time.Time, images []lifecycle.Image) time.Time {
	for _, image := range images {
		if image.PushedAt.After(at) {
			at = image.PushedAt
		}
	}
	return at
}

// imagesRepository is the repository that --images names, if it names one.
func (app *App) imagesRepository(names []string) (ref.Reference, bool) {
	if len(names) != 1 || names[0] == "-" {
		return ref.Reference{}, false
	}
	if _, err := os.Stat(names[0]); err == nil {
		return ref.Reference{}, false
	}
	reference, err := app.parseReference(names[0])
	return reference, err == nil && reference.Kind == ref.KindECR && reference.Name() == ""
}

// ownPolicy is the lifecycle policy of a repository.
func ownPolicy(ctx context.Context, registry *governance.Registry, reference ref.Reference) (*lifecycle.Policy, error) {
	text, err := registry.LifecyclePolicy(ctx, reference.Repository)
	if err != nil {
		return nil, err
	}
	policy, err := lifecycle.Parse([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("lifecycle policy of %s: %w", reference.Place(), err)
	}
	return policy, nil
}

// readInventory reads files with the output of aws ecr describe-images and
// batch-get-image; - is stdin.
func (app *App) readInventory(names []string) (lifecycle.Inventory, error) {
	var texts []io.Reader
	var last string
	for _, name := range names {
		if name == "-" {
			texts = append(texts, notedReader{app.stdin(), name, &last})
			continue
		}
		file, err := app.openText(name)
		if host, _ := app.Env(registryVariable); host != "" && errors.Is(err, fs.ErrNotExist) && filepath.Ext(name) == "" && repositoryWord.MatchString(name) {
			err = usageError{missingPlace{name, fmt.Sprintf("; for the repository of that name write %s/%s", host, name)}}
		}
		if err != nil {
			return lifecycle.Inventory{}, err
		}
		defer file.Close()
		texts = append(texts, notedReader{file, name, &last})
	}
	inventory, err := lifecycle.ReadImages(texts...)
	if err != nil {
		err = usagef("%s: %w", showFile(last), err)
	}
	return inventory, err
}

// notedReader notes the name of the file that was read last: an error of a list in several files is about it.
type notedReader struct {
	io.Reader
	name string
	last *string
}

func (r notedReader) Read(p []byte) (int, error) {
	*r.last = r.name
	return r.Reader.Read(p)
}

// manifestsFlag is the value of --manifests.
type manifestsFlag struct{ governance.Manifests }

func (m *manifestsFlag) String() string { return string(m.Manifests) }
func (m *manifestsFlag) Type() string   { return "none|indexes|all" }
func (m *manifestsFlag) values() []string {
	return []string{string(governance.ManifestsNone), string(governance.ManifestsIndexes), string(governance.ManifestsAll)}
}
func (m *manifestsFlag) Set(s string) error {
	if !slices.Contains(m.values(), s) {
		return fmt.Errorf("must be none, indexes or all")
	}
	m.Manifests = governance.Manifests(s)
	return nil
}
