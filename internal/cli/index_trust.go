package cli

import (
	"context"

	"github.com/ecrkit/ecrkit/sign"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

// sourceVerifier returns what verifies an image of src before an index brings it to another place, which is a copy; nil
// if nothing is required. Of what is not in a repository nothing is required, as by a push: it was built here.
func (f *trustFlags) sourceVerifier(ctx context.Context, app *App, src ref.Reference) (func(context.Context, content.Source, content.Manifest) error, error) {
	if !src.IsRepository() || f.policy.none {
		return nil, nil
	}
	from := app.keysFor(src)
	policy, err := app.policy(f.policy, from)
	if err != nil {
		return nil, err
	}
	demands, err := f.demands(ctx, from, policy, src)
	if err != nil || len(demands) == 0 {
		return nil, err
	}
	return func(ctx context.Context, source content.Source, m content.Manifest) error {
		r := &trustResult{trust: &trust{app: app, source: demands}, signed: map[content.Target][]sign.Signed{}}
		defer r.tell()
		return r.verifySource(ctx, source, m, m)
	}, nil
}
