package doctor

import (
	"context"
	"fmt"
	"strings"
	"time"
)

const (
	// Limit bounds a whole examination.
	Limit = 9500 * time.Millisecond
	// patience is how long a check may take before it is said what is waited for.
	patience = 2 * time.Second
	// grace is how long a check may take to end after its time.
	grace = 300 * time.Millisecond
)

// entry is a check with its place in an examination.
type entry struct {
	id    string
	limit time.Duration
	check Check
	// needs are the checks without which it makes no sense: it is skipped if one of them
	// failed. after are those whose facts it uses if there are any.
	needs, after []string
}

// Result is the result of one check. Its JSON form is stable: members are only added.
type Result struct {
	ID     string   `json:"id"`
	Status Status   `json:"status"`
	Found  string   `json:"found"`
	Advice []string `json:"advice"` // what to do, one step each
}

// checks returns all checks in the order of their results. None needs one after it.
func checks() []entry {
	const short, call = 2 * time.Second, 3 * time.Second
	return []entry{
		{id: "docker-config", limit: short, check: dockerConfig{}},
		{id: "helper", limit: 5 * time.Second, check: helper{}, after: []string{"docker-config"}},
		{id: "docker-engine", limit: call, check: dockerEngine{}},
		{id: "endpoint", limit: short, check: endpoint{}},
		{id: "proxy", limit: short, check: proxy{}, after: []string{"docker-engine", "endpoint"}},
		{id: "network", limit: call, check: network{}, needs: []string{"endpoint"}},
		{id: "tls", limit: short, check: certificates{}, needs: []string{"network"}},
		{id: "clock", limit: short, check: clock{}, after: []string{"network"}},
		{id: "identity", limit: 5 * time.Second, check: identity{}, needs: []string{"endpoint"}},
		{id: "region", limit: short, check: region{}},
		{id: "token", limit: call, check: token{}, needs: []string{"network", "tls", "identity"}},
		{id: "registry", limit: call, check: registry{}, needs: []string{"network", "tls", "token"}},
		{id: "docker-login", limit: call, check: dockerLogin{}, after: []string{"docker-config", "network", "tls"}},
		{id: "repository", limit: call, check: repository{}, needs: []string{"token"}},
		{id: "pull", limit: call, check: CanPull{}, needs: []string{"repository"}},
		{id: "push", limit: call, check: CanPush{}, needs: []string{"repository"}},
		{id: "create", limit: call, check: CanCreate{}, needs: []string{"token"}, after: []string{"repository"}},
		{id: "image", limit: call, check: image{}, needs: []string{"registry", "repository"}},
		{id: "layers", limit: call, check: layers{}, needs: []string{"network", "tls", "token"}, after: []string{"image", "proxy"}},
		{id: "scan", limit: call, check: scanning{}, needs: []string{"image"}},
		{id: "throttling", limit: short, check: throttling{}, needs: []string{"network"}, after: []string{"token", "registry", "repository", "pull", "push", "create", "image", "layers", "scan"}},
		{id: "disk", limit: short, check: disk{}, after: []string{"image", "docker-engine"}},
	}
}

// Run runs all checks, those that can at the same time, and calls done with each result
// in their order. It returns the results, within [Limit] and a little more.
func (s *Session) Run(ctx context.Context, done func(Result)) []Result {
	return s.run(ctx, checks(), done)
}

func (s *Session) run(ctx context.Context, entries []entry, done func(Result)) []Result {
	ctx, cancel := context.WithTimeout(ctx, Limit)
	defer cancel()
	type slot struct {
		ready  chan struct{}
		result Result
	}
	slots := map[string]*slot{}
	for _, e := range entries {
		slots[e.id] = &slot{ready: make(chan struct{})}
	}
	for _, e := range entries {
		go func() {
			own := slots[e.id]
			defer close(own.ready)
			for _, id := range e.after {
				<-slots[id].ready
			}
			for _, id := range e.needs {
				<-slots[id].ready
				if r := slots[id].result; r.Status == Failed || r.Status == Skipped && strings.HasPrefix(r.Found, notRun) {
					own.result = result(e.id, skipped(fmt.Sprintf("%s: %s failed", notRun, root(r, id))))
					return
				}
			}
			own.result = result(e.id, s.attend(ctx, e))
		}()
	}
	var results []Result
	for _, e := range entries {
		<-slots[e.id].ready
		results = append(results, slots[e.id].result)
		done(slots[e.id].result)
	}
	return results
}

// notRun is how a check begins that was not run because another one failed.
const notRun = "not checked"

// root returns the check whose failure r comes from.
func root(r Result, id string) string {
	if rest, ok := strings.CutPrefix(r.Found, notRun+": "); ok {
		return strings.TrimSuffix(rest, " failed")
	}
	return id
}

func result(id string, f Finding) Result {
	if f.Advice == nil {
		f.Advice = []string{}
	}
	return Result{ID: id, Status: f.Status, Found: f.Found, Advice: f.Advice}
}

// attend runs one check within its limit.
func (s *Session) attend(ctx context.Context, e entry) Finding {
	if ctx.Err() != nil {
		return skipped("the time for all checks was over")
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, e.limit)
	defer cancel()
	if s.Waiting != nil && e.limit > patience {
		timer := time.AfterFunc(patience, func() { s.Waiting(e.id, e.limit-time.Since(began)) })
		defer timer.Stop()
	}
	found := make(chan Finding, 1)
	go func() { found <- e.check.Run(ctx, s) }()
	select {
	case f := <-found:
		return f
	case <-ctx.Done():
	}
	select {
	case f := <-found:
		return f
	case <-time.After(grace):
		return failed(fmt.Sprintf("no answer within %s", e.limit))
	}
}
