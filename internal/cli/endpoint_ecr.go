package cli

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/transfer/ecr"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

func (app *App) openECR(ctx context.Context, r ref.Reference) (*ecr.Repository, error) {
	cfg, err := app.awsConfig(ctx, r.Registry)
	if err != nil {
		return nil, err
	}
	repository := ecr.New(cfg, r.Registry, r.Repository)
	repository.Limits = app.limits.of(r.Registry)
	if app.Verbose {
		repository.Layers.Transport = app.logRequests(repository.Layers.Transport)
	}
	tokens, err := app.tokens()
	if err != nil {
		return nil, err
	}
	repository.V2 = &auth.Transport{Tokens: tokens, Registry: r.Registry, Base: repository.Layers.Transport}
	return repository, nil
}

// awsConfig is the configuration of the AWS SDK for calls about a registry.
func (app *App) awsConfig(ctx context.Context, r auth.Registry) (aws.Config, error) {
	config, err := app.settings()
	if err != nil {
		return aws.Config{}, err
	}
	calls := auth.AWS{Env: app.Env, Registries: config.Registries}
	if app.Verbose {
		calls.LoadOptions = append(calls.LoadOptions, app.logCalls())
	}
	return calls.Config(ctx, r)
}
