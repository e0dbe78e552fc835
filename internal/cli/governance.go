package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/internal/governance"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

// openGovernance returns the private registry at host, which may be left out for the
// one of the environment.
func (app *App) openGovernance(ctx context.Context, host string) (*governance.Registry, error) {
	r, err := app.parseRegistry(host)
	if err != nil {
		return nil, err
	}
	return app.governanceOf(ctx, r)
}

// governanceOf returns the private registry r.
func (app *App) governanceOf(ctx context.Context, r auth.Registry) (*governance.Registry, error) {
	if r.Public {
		return nil, usagef("%s is ECR Public, which has no such settings; name a private registry, ACCOUNT.dkr.ecr.REGION.amazonaws.com", r.Host)
	}
	cfg, err := app.awsConfig(ctx, r)
	if err != nil {
		return nil, err
	}
	return governance.New(cfg, r), nil
}

// governanceIn returns the private registry of an account in a region, by the host that the settings map to it, or by its
// name in Amazon ECR.
func (app *App) governanceIn(ctx context.Context, account, region string) (*governance.Registry, error) {
	config, err := app.settings()
	if err != nil {
		return nil, err
	}
	for _, host := range slices.Sorted(maps.Keys(config.Registries.Mapping)) {
		if r := config.Registries.Mapping[host]; r.Account == account && r.Region == region {
			return app.governanceOf(ctx, r)
		}
	}
	return app.openGovernance(ctx, auth.Registry{Account: account, Region: region}.CanonicalHost())
}

// parseRegistry reads HOST, or takes the registry of the environment for "".
func (app *App) parseRegistry(host string) (auth.Registry, error) {
	config, err := app.settings()
	if err != nil {
		return auth.Registry{}, err
	}
	if host == "" {
		if host, _ = app.Env(registryVariable); host == "" {
			return auth.Registry{}, usagef("no registry; pass its HOST, or set %s", registryVariable)
		}
	}
	if err := ref.CheckUser(host); err != nil {
		return auth.Registry{}, usageError{err}
	}
	if name, path, _ := strings.Cut(host, "/"); content.IsRepositoryName(path) && path != "v2" {
		return auth.Registry{}, usagef("%s names a repository; a registry is expected: %s", host, name)
	}
	r, err := config.Registries.Parse(host)
	if err != nil {
		if wrong := ref.CheckHost(host); wrong != nil {
			err = fmt.Errorf("host %w", wrong)
		} else if !strings.ContainsAny(host, ".:/") {
			err = fmt.Errorf("%q is not the host of a registry; write ACCOUNT.dkr.ecr.REGION.amazonaws.com%s", host, app.orNoHost())
		}
		return auth.Registry{}, usageError{err}
	}
	return r, nil
}

// orNoHost says that HOST may be left out, if it may.
func (app *App) orNoHost() string {
	if host, _ := app.Env(registryVariable); host != "" {
		return ", or nothing for " + host
	}
	return ""
}
