package credhelper

import (
	"context"
	"slices"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/auth/tokenstore"
	"github.com/ecrkit/ecrkit/internal/settings"
	"github.com/ecrkit/ecrkit/internal/startup"
	"github.com/ecrkit/ecrkit/internal/tokenfile"
)

// shorten lets package startup answer the next get of host.
func (p *program) shorten(ctx context.Context, host string) {
	first, _, ok := p.plan(ctx, host)
	if !ok {
		return
	}
	// The plan counts if nothing changes while it is made.
	before, err := tokenfile.Snap(first)
	if err != nil {
		p.log.Debug("no shortcut", "error", err)
		return
	}
	files, plan, ok := p.plan(ctx, host)
	after, err := tokenfile.Snap(files)
	if !ok || err != nil || !after.Equal(before) {
		return
	}
	store := tokenstore.Store{Dir: p.settings.CacheDir}
	if err := store.PutShortcut(startup.Request(host, p.variables), tokenfile.Shortcut{Key: plan.Key(), Files: after, Until: plan.Until}); err != nil {
		p.log.Debug("no shortcut", "error", err)
	}
}

// plan finds out which files decide about the token for host, and how. It is not
// ok if other things than files and the environment do, or if package startup would
// not look into the token cache that is used.
func (p *program) plan(ctx context.Context, host string) (files []string, plan auth.TokenPlan, ok bool) {
	s, err := settings.Load(p.env)
	if err != nil || s.Keychain != "" || s.CacheDir == "" || s.CacheDir != startup.CacheDir(p.env) {
		return nil, plan, false
	}
	r, err := s.Registries.Parse(host)
	if err != nil {
		return nil, plan, false
	}
	tokens := s.Tokens(p.env, p.log)
	plan, err = tokens.Minter.AWS.Plan(ctx, r)
	if err != nil || !plan.Source.Stable {
		return nil, plan, false
	}
	return slices.Concat([]string{s.File}, plan.Files), plan, true
}
