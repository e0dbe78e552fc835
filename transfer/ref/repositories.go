package ref

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/ecr"
)

// Repositories opens the repositories of registries by their names, HOST/REPOSITORY, each once. It is the Opener that
// package mirror needs, and a RepositoryLister of it. It can be used concurrently, and must not be copied after first use.
type Repositories struct {
	// Opener opens the repositories; nil is a zero Opener.
	Opener *Opener
	// Parse reads the name of a repository; nil is [Parse] with the registries of Opener.
	Parse func(ctx context.Context, repository string) (Reference, error)
	// Configure, if not nil, sets what is not the default in a repository of Amazon ECR before it is written to: its
	// Create, say, without which an image is not copied to a repository that does not exist.
	Configure func(*ecr.Repository)

	own     Opener // if Opener is nil
	sources kept[content.Source]
	targets kept[content.Target]
	configs kept[aws.Config] // by host: the repositories of a registry share credentials and connections
}

func (o *Repositories) opener() *Opener {
	if o.Opener == nil {
		return &o.own
	}
	return o.Opener
}

// Source opens a repository to read from it. The error wraps [content.ErrUnsupported] if the name is not that of a
// repository of a registry.
func (o *Repositories) Source(ctx context.Context, repository string) (content.Source, error) {
	return o.sources.open(repository, func() (content.Source, error) { return o.open(ctx, repository) })
}

// Target opens a repository to write to it. Errors are those of [Repositories.Source].
func (o *Repositories) Target(ctx context.Context, repository string) (content.Target, error) {
	return o.targets.open(repository, func() (content.Target, error) {
		target, err := o.open(ctx, repository)
		if repository, ok := target.(*ecr.Repository); ok && o.Configure != nil {
			o.Configure(repository)
		}
		return target, err
	})
}

func (o *Repositories) open(ctx context.Context, repository string) (content.Endpoint, error) {
	parse := o.Parse
	if parse == nil {
		parse = func(_ context.Context, s string) (Reference, error) { return Parse(s, o.opener().Registries, nil) }
	}
	r, err := parse(ctx, repository)
	if err != nil {
		return nil, err
	}
	if !r.IsRepository() || r.Name() != "" {
		return nil, fmt.Errorf("%s: %w: it does not name a repository; write HOST/REPOSITORY", repository, content.ErrUnsupported)
	}
	if r.Kind != KindECR {
		return o.opener().Endpoint(ctx, r)
	}
	cfg, err := o.configs.open(r.Host, func() (aws.Config, error) { return o.opener().config(ctx, r.Registry) })
	if err != nil {
		return nil, err
	}
	return o.opener().configured(cfg, r), nil
}

// kept opens each of its values once. Who wants the same one waits for it, who wants another one does not.
type kept[T any] struct {
	mu     sync.Mutex
	byName map[string]*keptValue[T]
}

type keptValue[T any] struct {
	mu    sync.Mutex
	is    bool
	value T
}

func (k *kept[T]) open(name string, open func() (T, error)) (T, error) {
	k.mu.Lock()
	v := k.byName[name]
	if v == nil {
		if k.byName == nil {
			k.byName = map[string]*keptValue[T]{}
		}
		v = new(keptValue[T])
		k.byName[name] = v
	}
	k.mu.Unlock()
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.is {
		value, err := open()
		if err != nil {
			return value, err
		}
		v.value, v.is = value, true
	}
	return v.value, nil
}

// RepositoriesOf returns the names of all repositories of the registry at host. The error wraps [content.ErrUnsupported]
// if the registry does not list them, as ECR Public and many others do not.
func (o *Repositories) RepositoriesOf(ctx context.Context, host string) (names []string, err error) {
	r, err := o.opener().Registries.Parse(host)
	switch {
	case errors.Is(err, auth.ErrNotECR):
		other, err := o.opener().Registry(Reference{Kind: KindRegistry, Host: host})
		if err != nil {
			return nil, err
		}
		return other.Repositories(ctx)
	case err != nil:
		return nil, err
	case r.Public:
		return nil, fmt.Errorf("%s: %w: the repositories of ECR Public cannot be listed", host, content.ErrUnsupported)
	}
	cfg, err := o.opener().config(ctx, r)
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
