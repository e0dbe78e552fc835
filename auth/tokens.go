package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ecrkit/ecrkit/auth/tokenstore"
)

// Tokens is the [TokenSource] that keeps tokens: one for each AWS identity,
// region and endpoint, for all the registries that it opens. A token is renewed
// at half of its life, and given out no later than a minute before its end. The
// zero value keeps tokens in memory only. It is safe for concurrent use.
type Tokens struct {
	Minter Minter
	// Store keeps tokens for other processes and later ones; nil is memory only.
	// A store that cannot be used is warned of once, and done without.
	Store *tokenstore.Store
	// LockTimeout bounds the wait for another process that gets the same token;
	// 0 means 10 seconds. After it the token is minted without the store.
	LockTimeout time.Duration
	// RenewTimeout bounds the renewal of a token that is still valid; 0 means 3
	// seconds.
	RenewTimeout time.Duration
	// Logger hears of each decision at debug level and of what the user should
	// know at warn level; nil is silent.
	Logger *slog.Logger

	warnStore sync.Once
	memory    memory
}

const (
	failureMemory     = 5 * time.Second  // for what AWS refused
	metadataMemory    = time.Minute      // for an instance metadata service that is silent
	unavailableMemory = 30 * time.Second // between attempts to renew a token that is still valid
)

// Codes of failures that are kept for a short time.
const (
	codeRefused     = "refused"     // no token until it is over
	codeUnavailable = "unavailable" // a token that is still valid does in the meantime
)

// Token returns the cached token of the identity that is used for r, or a new
// one. A failure that is certain to come again, such as access denied, is
// repeated from memory for a few seconds. Errors come from [Explain].
func (t *Tokens) Token(ctx context.Context, r Registry) (Token, error) {
	plan, err := t.Minter.AWS.Plan(ctx, r)
	if err != nil {
		return Token{}, err
	}
	if plan.Source.Stable {
		key := plan.Key()
		if entry, state := t.get(key); state != tokenstore.Stale {
			return t.renewed(ctx, plan, key, entry, state, nil)
		}
		ctx, cancel := t.Minter.bound(ctx, plan)
		defer cancel()
		return t.fetch(ctx, plan, key, nil)
	}
	return t.unstable(ctx, plan)
}

// unstable returns the token of a credential source whose principal is known only when its
// credentials are there.
func (t *Tokens) unstable(ctx context.Context, plan TokenPlan) (Token, error) {
	whole, cancel := t.Minter.bound(ctx, plan)
	defer cancel()
	s, err := t.identify(whole, plan)
	if err != nil {
		return Token{}, err
	}
	key := s.plan.sessionKey(s.credentials)
	if entry, state := t.get(key); state != tokenstore.Stale {
		return t.renewed(ctx, s.plan, key, entry, state, &s)
	}
	return t.fetch(whole, s.plan, key, &s)
}

// identify obtains the credentials of an unstable credential source. That an instance
// metadata service does not answer is remembered, as it takes long to find out.
func (t *Tokens) identify(ctx context.Context, plan TokenPlan) (session, error) {
	if plan.Source.base != KindIMDS || t.Store == nil || plan.half != nil {
		return t.session(ctx, plan) // half of an access key is this environment's alone: the key is not
	}
	key := plan.Key()
	if f, ok := t.Store.Failure(key); ok {
		return session{}, recalled(plan.Registry, f)
	}
	if lock, err := t.lock(ctx, plan, key); err == nil {
		defer lock.Unlock()
		if f, ok := t.Store.Failure(key); ok {
			return session{}, recalled(plan.Registry, f)
		}
	}
	s, err := t.session(ctx, plan)
	var metadata *metadataError
	if errors.As(err, &metadata) && metadata.disabled {
		return s, err // by the environment of this process alone, and it took no time
	}
	if errors.Is(err, ErrNoCredentials) {
		t.remember(key, codeRefused, err, metadataMemory)
	}
	return s, err
}

func (t *Tokens) lock(ctx context.Context, plan TokenPlan, key tokenstore.Key) (*tokenstore.Lock, error) {
	ctx, cancel := t.boundWait(ctx, plan)
	defer cancel()
	return t.Store.Lock(ctx, key)
}

// fetch gets a token that is missing: one caller mints, in this process and in
// all others, and the rest wait for what it gets. s is nil if the credentials
// have yet to be obtained.
func (t *Tokens) fetch(ctx context.Context, plan TokenPlan, key tokenstore.Key, s *session) (Token, error) {
	release, err := t.memory.lock(ctx, key)
	if err != nil {
		return Token{}, Explain(plan.Registry, err)
	}
	defer release()
	if entry, state := t.memory.get(key, t.now()); state != tokenstore.Stale {
		return tokenOf(entry), nil
	}
	if t.Store == nil {
		return t.mint(ctx, plan, key, s, false)
	}
	if f, ok := t.Store.Failure(key); ok && f.Code == codeRefused {
		return Token{}, recalled(plan.Registry, f)
	}
	waiting, cancel := t.boundWait(ctx, plan)
	defer cancel()
	entry, lock, err := t.Store.Await(waiting, key, func(e tokenstore.Entry) bool {
		return e.State(t.now()) == tokenstore.Fresh
	})
	switch {
	case ctx.Err() != nil:
		return Token{}, Explain(plan.Registry, context.Cause(ctx))
	case err != nil:
		t.unusable(err)
		return t.mint(ctx, plan, key, s, false)
	case lock == nil:
		t.keep(key, entry, plan.Registry.Host)
		return tokenOf(entry), nil
	}
	defer lock.Unlock()
	if f, ok := t.Store.Failure(key); ok && f.Code == codeRefused {
		return Token{}, recalled(plan.Registry, f)
	}
	return t.mint(ctx, plan, key, s, true)
}

// renewed returns the token of an entry that is valid, after renewing it if it is
// past half of its life. Nobody waits for a renewal that somebody else makes.
func (t *Tokens) renewed(ctx context.Context, plan TokenPlan, key tokenstore.Key, entry tokenstore.Entry, state tokenstore.State, s *session) (Token, error) {
	t.keep(key, entry, plan.Registry.Host)
	if state == tokenstore.Fresh || t.Store == nil {
		t.log().Debug("token from the cache", "registry", plan.Registry.Host, "source", plan.Source.Kind)
		return tokenOf(entry), nil
	}
	if f, ok := t.Store.Failure(key); ok {
		if f.Code == codeRefused {
			return Token{}, recalled(plan.Registry, f)
		}
		return tokenOf(entry), nil
	}
	lock, err := t.Store.TryLock(key)
	if err != nil {
		return tokenOf(entry), nil
	}
	defer lock.Unlock()
	if newer, state := t.get(key); state == tokenstore.Fresh {
		return tokenOf(newer), nil
	}
	renewing, cancel := t.boundRenewal(ctx, plan)
	defer cancel()
	token, err := t.mint(renewing, plan, key, s, true)
	switch {
	case err == nil:
		return token, nil
	case ctx.Err() != nil: // the caller has ended it, and nothing speaks against the token
	case usableMeanwhile(err):
		t.remember(key, codeUnavailable, err, unavailableMemory)
		t.log().Warn(fmt.Sprintf("the token could not be renewed and is good until %s: %v", entry.ExpiresAt.Format(time.RFC3339), err))
		return tokenOf(entry), nil
	case refused(err):
		t.forget(key)
	}
	return Token{}, err
}

// mint gets a token and keeps it: in the store too if the key's lock is held.
func (t *Tokens) mint(ctx context.Context, plan TokenPlan, key tokenstore.Key, s *session, locked bool) (Token, error) {
	t.log().Debug("getting a token", "registry", plan.Registry.Host, "source", plan.Source.Kind, "endpoint", plan.Endpoint.URL)
	if s == nil {
		obtained, err := t.session(ctx, plan)
		if err != nil {
			return Token{}, t.failed(key, err, locked)
		}
		s = &obtained
	}
	token, err := t.Minter.mint(ctx, *s)
	if err != nil {
		return Token{}, t.failed(key, err, locked)
	}
	// What the credentials turned out to be decides under which key the token is kept.
	seen := s.plan.Key()
	if !s.plan.Source.Stable {
		seen = s.plan.sessionKey(s.credentials)
	}
	if seen != key {
		t.log().Debug("the credentials were not those of the credential source", "registry", plan.Registry.Host)
		if locked = false; t.Store != nil {
			if lock, err := t.Store.TryLock(seen); err == nil {
				defer lock.Unlock()
				locked = true
			}
		}
	}
	entry := entryOf(token, s.plan)
	t.memory.put(seen, entry, t.now())
	if locked {
		if err := t.Store.Put(seen, entry); err != nil {
			t.unusable(err)
			return token, nil
		}
		t.mark(plan.Registry.Host, entry)
		if _, err := t.Store.Prune(); err != nil {
			t.log().Debug("old tokens stay", "error", err)
		}
	}
	return token, nil
}

// failed remembers what AWS refused, so that many callers do not all ask again.
func (t *Tokens) failed(key tokenstore.Key, err error, locked bool) error {
	if locked && !transient(err) && !errors.As(err, new(*halfPairError)) {
		t.remember(key, codeRefused, err, failureMemory)
	}
	return err
}

func (t *Tokens) remember(key tokenstore.Key, code string, err error, duration time.Duration) {
	if t.Store == nil {
		return
	}
	f := tokenstore.TokenFailure{Code: code, Text: Redact(err.Error()), Until: t.now().Add(duration)}
	var explained *Error
	if errors.As(err, &explained) {
		f.Text, f.Next = cause(explained.Err), explained.Next
	}
	if err := t.Store.PutFailure(key, f); err != nil {
		t.log().Debug("the failure is not remembered", "error", err)
	}
}

// recalled is a failure that was remembered.
func recalled(r Registry, f tokenstore.TokenFailure) error {
	return &Error{Registry: r, Next: f.Next, Err: errors.New(f.Text)}
}

// get looks for a token in memory, then in the store.
func (t *Tokens) get(key tokenstore.Key) (tokenstore.Entry, tokenstore.State) {
	if t.Store == nil {
		return t.memory.get(key, t.now())
	}
	entry, err := t.Store.Get(key)
	switch {
	case errors.Is(err, tokenstore.ErrNotFound):
		return entry, tokenstore.Stale
	case err != nil:
		t.unusable(err)
		return t.memory.get(key, t.now())
	}
	return entry, entry.State(t.now())
}

// keep notes in the store that a token was given to a host.
func (t *Tokens) keep(key tokenstore.Key, entry tokenstore.Entry, host string) {
	t.memory.put(key, entry, t.now())
	if t.Store != nil {
		t.mark(host, entry)
	}
}

func (t *Tokens) mark(host string, entry tokenstore.Entry) {
	if err := t.Store.MarkHost(host, entry.ExpiresAt); err != nil {
		t.log().Debug("the host is not listed", "host", host, "error", err)
	}
}

// forget removes the token of a key.
func (t *Tokens) forget(key tokenstore.Key) {
	t.memory.remove(key)
	if t.Store == nil {
		return
	}
	if err := t.Store.Remove(key); err != nil {
		t.unusable(err)
	}
}

func (t *Tokens) unusable(err error) {
	t.warnStore.Do(func() { t.log().Warn(fmt.Sprintf("going on without the token cache: %v", err)) })
}

func (t *Tokens) now() time.Time { return t.Minter.AWS.now() }

func (t *Tokens) log() *slog.Logger {
	if t.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return t.Logger
}

func tokenOf(e tokenstore.Entry) Token {
	return Token{Secret: e.Secret, IssuedAt: e.IssuedAt, ExpiresAt: e.ExpiresAt}
}

func entryOf(token Token, p TokenPlan) tokenstore.Entry {
	service := "ecr"
	if p.Registry.Public {
		service = "ecr-public"
	}
	return tokenstore.Entry{Secret: token.Secret, IssuedAt: token.IssuedAt, RenewAt: renewAt(token), ExpiresAt: token.ExpiresAt,
		Service: service, Region: p.Registry.Region, Endpoint: p.Endpoint.URL, Kind: string(p.Source.Kind)}
}
