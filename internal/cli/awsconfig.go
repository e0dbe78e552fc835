package cli

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/ecrkit/ecrkit/auth"
)

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
