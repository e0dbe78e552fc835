package credhelper

import (
	"context"
	"errors"
	"slices"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/auth/tokenstore"
	"github.com/ecrkit/ecrkit/internal/settings"
	"github.com/ecrkit/ecrkit/internal/startup"
	"github.com/ecrkit/ecrkit/internal/tokenfile"
	"github.com/ecrkit/ecrkit/internal/tokenwrite"
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
	shortcut := tokenfile.Shortcut{Key: plan.Key(), Files: after, Until: plan.Until}
	if err := putShortcut(p.settings.CacheDir, startup.Request(host, p.variables), shortcut); err != nil {
		p.log.Debug("no shortcut", "error", err)
	}
}

// putShortcut makes the shortcut of a request, which [tokenfile.Dir.Follow] follows, to the token of sc.Key in
// the token cache in cacheDir. Nothing is written if there is no such token.
func putShortcut(cacheDir, request string, sc tokenfile.Shortcut) error {
	if sc.Key.Session != "" {
		return nil
	}
	// It is written under the key's lock, like the token; whoever holds that is
	// about to change the token.
	store := tokenstore.Store{Dir: cacheDir}
	lock, err := store.TryLock(sc.Key)
	if errors.Is(err, tokenstore.ErrLocked) {
		return nil
	}
	if err != nil {
		return err
	}
	defer lock.Unlock()
	entry, err := store.Get(sc.Key)
	if errors.Is(err, tokenstore.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	data, err := sc.Encode(entry.ExpiresAt)
	if err != nil {
		return err
	}
	return tokenwrite.Replace(tokenfile.Dir{Path: cacheDir}, tokenfile.Key{Source: request}, tokenfile.ShortcutExt, data, entry.ExpiresAt)
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
