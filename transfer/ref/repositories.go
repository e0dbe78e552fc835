package ref

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/ecr"
)

// Repositories opens the repositories of registries by their names, HOST/REPOSITORY, each once. It is the Opener that
// package mirror needs, and a RepositoryLister of it. It can be used concurrently, and must not be copied after first use.
type Repositories struct {
	// Opener opens the repositories. It is needed.
	Opener *Opener
	// Create has a repository of Amazon ECR created with these settings when an image is copied to it and it does not
	// exist; nil has the copy fail.
	Create *ecr.Settings

	mu      sync.Mutex
	sources map[string]content.Source
	targets map[string]content.Target
}

// Source opens a repository to read from it. The error wraps [content.ErrUnsupported] if the name is not that of a
// repository of a registry.
func (o *Repositories) Source(ctx context.Context, repository string) (content.Source, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if src := o.sources[repository]; src != nil {
		return src, nil
	}
	r, err := o.parse(repository)
	if err != nil {
		return nil, err
	}
	src, err := o.Opener.Endpoint(ctx, r)
	if err != nil {
		return nil, err
	}
	if o.sources == nil {
		o.sources = map[string]content.Source{}
	}
	o.sources[repository] = src
	return src, nil
}

// Target opens a repository to write to it. Errors are those of [Repositories.Source].
func (o *Repositories) Target(ctx context.Context, repository string) (content.Target, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if target := o.targets[repository]; target != nil {
		return target, nil
	}
	r, err := o.parse(repository)
	if err != nil {
		return nil, err
	}
	target, err := o.Opener.Endpoint(ctx, r)
	if err != nil {
		return nil, err
	}
	if repository, ok := target.(*ecr.Repository); ok {
		repository.Create = o.Create
	}
	if o.targets == nil {
		o.targets = map[string]content.Target{}
	}
	o.targets[repository] = target
	return target, nil
}

func (o *Repositories) parse(repository string) (Reference, error) {
	r, err := Parse(repository, o.Opener.Registries, nil)
	if err == nil && (!r.IsRepository() || r.Name() != "") {
		err = fmt.Errorf("%s: %w: it does not name a repository; write HOST/REPOSITORY", repository, content.ErrUnsupported)
	}
	return r, err
}

// RepositoriesOf returns the names of all repositories of the registry at host. The error wraps [content.ErrUnsupported]
// if the registry does not list them, as ECR Public and many others do not.
func (o *Repositories) RepositoriesOf(ctx context.Context, host string) (names []string, err error) {
	r, err := o.Opener.Registries.Parse(host)
	switch {
	case errors.Is(err, auth.ErrNotECR):
		other, err := o.Opener.Registry(Reference{Kind: KindRegistry, Host: host})
		if err != nil {
			return nil, err
		}
		return other.Repositories(ctx)
	case err != nil:
		return nil, err
	case r.Public:
		return nil, fmt.Errorf("%s: %w: the repositories of ECR Public cannot be listed", host, content.ErrUnsupported)
	}
	cfg, err := o.Opener.config(ctx, r)
	if err != nil {
		return nil, err
	}
	for repository, err := range ecr.List(ctx, cfg, r) {
		if err != nil {
			return nil, err
		}
		names = append(names, repository.Name)
	}
	return names, nil
}
