package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/singleflight"

	"github.com/ecrkit/ecrkit/proxy"
	"github.com/ecrkit/ecrkit/sign"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

// proxyRules are what a proxy may answer. They can be replaced while it runs.
type proxyRules struct {
	app   *App
	parse func(place string) (ref.Reference, error)

	mu      sync.Mutex
	current *proxyRuleSet
}

// proxyRuleSet is what the files said when they were read.
type proxyRuleSet struct {
	allow  map[string]bool
	policy *imagePolicy // nil requires nothing

	loading singleflight.Group // of demands, by repository
	mu      sync.Mutex
	demands map[string]proxy.ImageRequirements
}

// proxyRules reads what the flags name.
func (app *App) proxyRules(f proxyFlags) (*proxyRules, error) {
	config, err := app.settings()
	if err != nil {
		return nil, err
	}
	set, err := app.readProxyRules(f)
	if err != nil {
		return nil, err
	}
	parse := func(place string) (ref.Reference, error) { return ref.Parse(place, config.Registries, nil) }
	return &proxyRules{app: app, parse: parse, current: set}, nil
}

func (app *App) readProxyRules(f proxyFlags) (*proxyRuleSet, error) {
	set := &proxyRuleSet{allow: map[string]bool{}, demands: map[string]proxy.ImageRequirements{}}
	if err := set.readAllowed(f); err != nil {
		return nil, err
	}
	var err error
	set.policy, err = app.policy(f.policy, app.keysFor())
	return set, err
}

// reloadProxy reads the files again. With an error what was read before holds.
func (app *App) reloadProxy(rules *proxyRules, f proxyFlags, log *slog.Logger) {
	set, err := app.readProxyRules(f)
	if err != nil {
		log.Error("reload", "error", err.Error())
		return
	}
	rules.mu.Lock()
	rules.current = set
	rules.mu.Unlock()
	log.Warn("reload", "allowed", len(set.allow), "policy", set.policy != nil)
}

func (r *proxyRules) set() *proxyRuleSet {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.current
}

// demand returns what the policy requires of the images of a repository.
func (r *proxyRules) demand(ctx context.Context, host, repository string) (proxy.ImageRequirements, error) {
	set := r.set()
	if set.policy == nil {
		return proxy.ImageRequirements{}, nil
	}
	place, err := r.parse(host + "/" + repository)
	if err != nil {
		return proxy.ImageRequirements{}, err
	}
	name := place.Place()
	if d, ok := set.demand(name); ok {
		return d, nil
	}
	// Keys out of reach keep no other repository waiting, and no client that stays from those of one that goes.
	loaded := set.loading.DoChan(name, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), demandTime)
		defer cancel()
		d, err := r.makeDemand(ctx, set.policy, place)
		if err == nil && d.ID != unknownKeys { // these may be known the next time
			set.keep(name, d)
		}
		return d, err
	})
	select {
	case l := <-loaded:
		d, _ := l.Val.(proxy.ImageRequirements) // none with an error
		return d, l.Err
	case <-ctx.Done():
		return proxy.ImageRequirements{}, ctx.Err()
	}
}

// demand returns what was kept of a repository.
func (s *proxyRuleSet) demand(place string) (proxy.ImageRequirements, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, ok := s.demands[place]
	return d, ok
}

// keep remembers what is required of a repository.
func (s *proxyRuleSet) keep(place string, d proxy.ImageRequirements) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.demands) >= maxDemands {
		clear(s.demands)
	}
	s.demands[place] = d
}

// demandTime bounds how long the keys of one rule may take.
const demandTime = 2 * time.Minute

// maxDemands bounds of how many repositories it is remembered what is required.
const maxDemands = 1000

// makeDemand loads the keys of the rule of a repository.
func (r *proxyRules) makeDemand(ctx context.Context, policy *imagePolicy, place ref.Reference) (proxy.ImageRequirements, error) {
	rule := policy.rule(place)
	switch rule.Action {
	case sign.ActionAccept:
		return proxy.ImageRequirements{}, nil
	case sign.ActionReject:
		return proxy.ImageRequirements{}, fmt.Errorf("%w: the policy %s takes no image from there", proxy.ErrRefused, policy.path)
	}
	warn := rule.Enforcement == sign.EnforceWarn
	required, err := rule.Requirements(ctx, r.app.keysFor(place).public)
	if isWarning(ctx, err, warn) {
		return proxy.ImageRequirements{ID: unknownKeys, Verify: func(ctx context.Context, _ content.Source, _ content.Manifest) error {
			return r.app.refuse(ctx, err, true)
		}}, nil
	}
	if err != nil {
		return proxy.ImageRequirements{}, err
	}
	id, err := demandID(required, warn)
	if err != nil {
		return proxy.ImageRequirements{}, err
	}
	return proxy.ImageRequirements{ID: id, Verify: func(ctx context.Context, src content.Source, m content.Manifest) error {
		_, err := verifyImage(ctx, src, m, required)
		if isRefusal(err) {
			err = fmt.Errorf("%w %s: %w", proxy.ErrRefused, policy.path, err)
		}
		return r.app.refuse(ctx, err, warn)
	}}, nil
}

// unknownKeys is the ID of what is only to be warned of, where the keys cannot be loaded.
const unknownKeys = "warn, unknown keys"

// demandID returns another digest for each other requirement.
func demandID(r sign.Requirements, warn bool) (string, error) {
	keys := make([]digest.Digest, len(r.Keys))
	for i, k := range r.Keys {
		keys[i] = k.Fingerprint()
	}
	r.Keys = nil
	data, err := json.Marshal(struct {
		Keys     []digest.Digest
		Required sign.Requirements
		Warn     bool
	}{keys, r, warn})
	return string(digest.FromBytes(data)), err
}
