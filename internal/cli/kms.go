package cli

import (
	"cmp"
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

// kmsConfig is the configuration of the AWS SDK for calls about keys that do not name
// their region. near is the registry of Amazon ECR for whose images they are, and
// whose identity is then asked; the zero value means none.
func (app *App) kmsConfig(ctx context.Context, near auth.Registry) (cfg aws.Config, err error) {
	if near.Host != "" {
		cfg, err = app.awsConfig(ctx, near)
	} else {
		calls := auth.AWS{Env: app.Env}
		if app.Verbose {
			calls.LoadOptions = append(calls.LoadOptions, app.logCalls())
		}
		cfg, err = calls.ConfigWithoutRegistry(ctx)
	}
	if err != nil {
		return aws.Config{}, err
	}
	cfg.Region = cmp.Or(configuredRegion(cfg), near.Region)
	return cfg, nil
}

// configuredRegion is the region that the environment or the profile names, or "".
func configuredRegion(cfg aws.Config) string {
	var env config.EnvConfig
	var shared config.SharedConfig
	for _, source := range cfg.ConfigSources {
		switch source := source.(type) {
		case config.EnvConfig:
			env = source
		case config.SharedConfig:
			shared = source
		}
	}
	return cmp.Or(env.Region, shared.Region)
}

// firstECR is the first registry of Amazon ECR among references; the zero value if
// there is none.
func firstECR(references ...ref.Reference) auth.Registry {
	for _, r := range references {
		if r.Kind == ref.KindECR {
			return r.Registry
		}
	}
	return auth.Registry{}
}
