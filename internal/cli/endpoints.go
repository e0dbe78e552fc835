package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/ecr"
	"github.com/ecrkit/ecrkit/transfer/ref"
	"github.com/ecrkit/ecrkit/transfer/registry"
)

// opener opens what references name, with the settings of the command. All endpoints of
// one command share it, and so their limits.
func (app *App) opener() (*ref.Opener, error) {
	app.opening.Lock()
	defer app.opening.Unlock()
	if app.opened != nil {
		return app.opened, nil
	}
	config, err := app.settings()
	if err != nil {
		return nil, err
	}
	tokens, err := app.tokens()
	if err != nil {
		return nil, err
	}
	archives, err := app.dockerArchiveOptions()
	if err != nil {
		return nil, err
	}
	o := &ref.Opener{
		Registries: config.Registries, Tokens: tokens, AWS: app.awsConfig,
		Docker: app.dockerDaemon(), Archive: archives, Stdin: app.stdin(),
		TokenServers: config.TokenServers,
	}
	if app.Verbose {
		o.Wrap = app.logRequests
	}
	app.opened = o
	return o, nil
}

// openSource opens what a reference names, to read from it. What it returns second
// closes it.
func (app *App) openSource(ctx context.Context, r ref.Reference) (content.Source, func() error, error) {
	if r.Path == ref.StandardStream && isTerminal(app.Stdin) {
		return nil, nil, usagef("%s reads an archive from stdin, which is a terminal; name a file, or pipe one: docker save NAME | ecrkit ...", r)
	}
	o, err := app.opener()
	if err != nil {
		return nil, nil, err
	}
	if err := app.checkRegistry(ctx, r); err != nil {
		return nil, nil, err
	}
	source, err := o.Source(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	if c, ok := source.(io.Closer); ok {
		return source, c.Close, nil
	}
	return source, func() error { return nil }, nil
}

// openTarget opens what a reference names, to write to it. If that is stdout, the
// results go to stderr.
func (app *App) openTarget(ctx context.Context, r ref.Reference) (content.Target, error) {
	if err := checkTarget(r); err != nil {
		return nil, err
	}
	o, err := app.opener()
	if err != nil {
		return nil, err
	}
	if r.Path == ref.StandardStream {
		if isTerminal(app.rawStdout()) || app.StdoutSize != nil {
			return nil, usagef("%s writes an archive to stdout, which is a terminal; name a file, or pipe it: ecrkit ... | docker load", r)
		}
		o.Stdout, app.Stdout, app.RawStdout = app.streamedStdout(), app.Stderr, nil
	}
	if err := app.checkRegistry(ctx, r); err != nil {
		return nil, err
	}
	return o.Target(ctx, r)
}

// checkRegistry fails if r is in a registry on this machine that is not running. For
// Amazon ECR awsConfig checks it.
func (app *App) checkRegistry(ctx context.Context, r ref.Reference) error {
	if r.Kind != ref.KindRegistry {
		return nil
	}
	return app.checkListening(ctx, r.Host)
}

// checkTarget refuses a digest where only a name can be written.
func checkTarget(r ref.Reference) error {
	switch {
	case r.Digest == "":
		return nil
	case r.Kind == ref.KindArchive, r.Kind == ref.KindDockerArchive:
		return usagef("%s: what is written to an archive has a tag or none", r)
	case r.Kind == ref.KindDockerDaemon:
		return usagef("%s: an image is loaded under a name; write docker-daemon:NAME:TAG", r)
	}
	return nil
}

// openRepository opens an endpoint to edit what is in it.
func (app *App) openRepository(ctx context.Context, r ref.Reference) (content.Endpoint, error) {
	if !r.IsRepository() && r.Kind != ref.KindLayout {
		return nil, usagef("%s cannot be edited; name a repository, HOST/REPOSITORY:TAG, or an OCI layout, oci:DIRECTORY:TAG", r)
	}
	o, err := app.opener()
	if err != nil {
		return nil, err
	}
	if err := app.checkRegistry(ctx, r); err != nil {
		return nil, err
	}
	return o.Endpoint(ctx, r)
}

// openECR opens a repository of Amazon ECR.
func (app *App) openECR(ctx context.Context, r ref.Reference) (*ecr.Repository, error) {
	o, err := app.opener()
	if err != nil {
		return nil, err
	}
	return o.ECR(ctx, r)
}

// openRegistry opens a repository of any other registry.
func (app *App) openRegistry(ctx context.Context, r ref.Reference) (*registry.Repository, error) {
	o, err := app.opener()
	if err != nil {
		return nil, err
	}
	if err := app.checkRegistry(ctx, r); err != nil {
		return nil, err
	}
	return o.Registry(r)
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
	plan, err := calls.Plan(ctx, r)
	if err != nil {
		return aws.Config{}, err
	}
	app.tellElsewhere(plan)
	if err := app.checkListening(ctx, plan.Endpoint.URL); err != nil {
		return aws.Config{}, fmt.Errorf("%w%s", err, elsewhere(plan))
	}
	return calls.Config(ctx, r)
}

// tellElsewhere warns once of each host whose API calls a setting of AWS sends to
// another registry. Errors repeat it.
func (app *App) tellElsewhere(plan auth.TokenPlan) {
	if note := elsewhere(plan); note != "" {
		if _, told := app.elsewhere.LoadOrStore(plan.Registry.Host, note); !told {
			app.Messagef("warning: %s sends the API calls for %s to %s", plan.Endpoint.SetBy, plan.Registry.Host, plan.Endpoint.URL)
		}
	}
}

// elsewhere returns what an error says of such a host; "" of others.
func elsewhere(plan auth.TokenPlan) string {
	if !plan.Endpoint.Elsewhere {
		return ""
	}
	return fmt.Sprintf(" (%s sends the API calls for %s to %s)", plan.Endpoint.SetBy, plan.Registry.Host, plan.Endpoint.URL)
}
