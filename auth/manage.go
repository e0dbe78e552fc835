package auth

import (
	"context"
	"errors"
	"slices"

	"github.com/ecrkit/ecrkit/auth/tokenstore"
)

// Forget removes the tokens of the identity that is asked for r, as `docker
// logout` wants it. It is not an error if there is none, or no such identity.
func (t *Tokens) Forget(ctx context.Context, r Registry) error {
	plan, err := t.Minter.AWS.Plan(ctx, r)
	if errors.Is(err, ErrNoCredentials) {
		return nil
	}
	if err != nil {
		return err
	}
	source := plan.Key().Source
	t.memory.removeSource(source)
	if t.Store == nil {
		return nil
	}
	_, err = t.Store.RemoveSource(source)
	return err
}

// Reject removes a token that the registry has refused, unless another has
// taken its place in the meantime. The next [Tokens.Token] then gets a new one.
func (t *Tokens) Reject(ctx context.Context, r Registry, rejected Token) error {
	t.memory.reject(rejected.Secret)
	plan, err := t.Minter.AWS.Plan(ctx, r)
	if err != nil || t.Store == nil {
		return err
	}
	keys, err := t.keys(plan)
	for _, key := range keys {
		if _, removeErr := t.Store.RemoveIf(key, rejected.Secret); removeErr != nil {
			err = errors.Join(err, removeErr)
		}
	}
	return err
}

// keys are those under which tokens of a plan may be kept.
func (t *Tokens) keys(plan TokenPlan) ([]tokenstore.Key, error) {
	key := plan.Key()
	if plan.Source.Stable {
		return []tokenstore.Key{key}, nil
	}
	items, err := t.Store.Sessions(key.Source)
	keys := []tokenstore.Key{}
	for _, item := range items {
		keys = append(keys, item.Key)
	}
	return keys, err
}

// Cached returns the token that Token would return for r without any call. ok is
// false if there is none. A credential_process or another unstable credential source is not
// asked: then any session of it counts.
func (t *Tokens) Cached(ctx context.Context, r Registry) (token Token, ok bool, err error) {
	plan, err := t.Minter.AWS.Plan(ctx, r)
	if err != nil || t.Store == nil {
		return Token{}, false, err
	}
	keys, err := t.keys(plan)
	for _, key := range keys {
		if entry, state := t.get(key); state != tokenstore.Stale {
			return tokenOf(entry), true, nil
		}
	}
	return Token{}, false, err
}

// Hosts lists the hosts, sorted, for which Token has a token without any call.
func (t *Tokens) Hosts(ctx context.Context) ([]string, error) {
	if t.Store == nil {
		return nil, nil
	}
	marked, err := t.Store.Hosts()
	if err != nil {
		return nil, err
	}
	var hosts []string
	for _, host := range marked {
		r, err := t.Minter.AWS.Registries.Parse(host)
		if err != nil {
			continue // mapped no longer
		}
		// A host whose identity is not there has no token; Token returns the reason.
		if _, ok, err := t.Cached(ctx, r); ok && err == nil {
			hosts = append(hosts, host)
		}
	}
	slices.Sort(hosts)
	return hosts, nil
}
