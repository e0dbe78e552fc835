//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/ecrkit/ecrkit/localecr"
)

// jumps are how far clocks jump.
var jumps = []time.Duration{time.Hour, -time.Hour, 13 * time.Hour, -13 * time.Hour, 24 * time.Hour, -24 * time.Hour}

// whose are the clocks that jump: "both" is time that has passed, the others are a wrong clock.
var whose = []string{"both", "program", "server"}

// clockCase is a command whose clock jumps.
type clockCase struct {
	name string
	// renew makes what the command needs; n is another number each time.
	renew func(st *site, n int) error
	args  func(st *site, n int) []string
	seen  func(st *site, n int) error
}

// runClock has clocks jump between runs and in the middle of one.
func runClock(ctx context.Context, s *soak) error {
	programs, err := s.clockPrograms()
	if err != nil {
		return err
	}
	r := s.begin("clock")
	old, new, err := s.twoImages(7)
	if err != nil {
		return err
	}
	for _, c := range clockCases(old, new) {
		if !s.wants(c.name) {
			continue
		}
		for _, who := range whose {
			t := s.tally(r, c.name+", clock of "+who)
			for i, jump := range jumps {
				for _, during := range []bool{false, true} {
					if ctx.Err() != nil {
						return s.end(r)
					}
					what := fmt.Sprintf("%+.0f h before the run", jump.Hours())
					if during {
						what = fmt.Sprintf("%+.0f h during the run", jump.Hours())
					}
					if err := s.jump(t, c, programs, who, jump, during, what, i); err != nil {
						return fmt.Errorf("%s, clock of %s, %s: %w", c.name, who, what, err)
					}
				}
			}
		}
	}
	return s.end(r)
}

// jump runs a command at the right time, has clocks jump, and runs it again.
func (s *soak) jump(t *tally, c clockCase, programs, who string, jump time.Duration, during bool, what string, n int) (err error) {
	st, err := s.site(localecr.Options{Accounts: helperAccounts(), ScanTime: time.Millisecond})
	if err != nil {
		return err
	}
	defer func() { err = joinClose(err, st) }()
	st.bin = programs
	// The first run fills the caches.
	if err := c.renew(st, 2*n); err != nil {
		return fmt.Errorf("renew: %w", err)
	}
	first, err := st.clockRun(c, 2*n, nil)
	if err != nil {
		return err
	}
	if err := c.seen(st, 2*n); first.code != 0 || err != nil {
		return fmt.Errorf("before the jump: %w: %s", err, first)
	}
	if err := c.renew(st, 2*n+1); err != nil {
		return fmt.Errorf("renew: %w", err)
	}
	after := time.Duration(first.seconds / 2 * float64(time.Second))
	var extra []string
	if who != "server" {
		value := fmt.Sprint(int64(jump.Seconds()))
		if during {
			value += fmt.Sprint("@", after.Milliseconds())
		}
		extra = append(extra, clockVariable+"="+value)
	}
	if who != "program" && !during {
		st.server.Clock().Advance(jump)
	}
	if who != "program" && during {
		timer := time.AfterFunc(after, func() { st.server.Clock().Advance(jump) })
		defer timer.Stop()
	}
	o, err := st.clockRun(c, 2*n+1, extra)
	if err != nil || s.ctx.Err() != nil {
		return err
	}
	t.ran(o.code != 0)
	switch {
	case o.hung:
		t.found(hang, "%s: %s", what, o)
	case o.code != 0:
		t.found(wrong, "%s: exit code %d: %s%s", what, o.code, o, o.stdout)
	default:
		if err := c.seen(st, 2*n+1); err != nil {
			t.found(wrong, "%s: exit code 0: %v: %s", what, err, o)
		}
	}
	if found := append(st.leftovers("dst", "a.tar"), st.cacheLeftovers(st.path("home", ".cache", "ecrkit", "v1"))...); len(found) > 0 {
		t.found(left, "%s: %s", what, strings.Join(found, " "))
	}
	return nil
}

// clockRun runs a command, which may be the helper.
func (st *site) clockRun(c clockCase, n int, extra []string) (outcome, error) {
	args := c.args(st, n)
	stdin := ""
	if args[0] == "docker-credential-ecrkit" {
		stdin, extra = st.server.Registry, append(extra, keys(0)...)
	}
	p, err := st.start(extra, args[0], stdin, args[1:]...)
	if err != nil {
		return outcome{}, err
	}
	o := p.wait(st)
	if stdin != "" {
		err = os.WriteFile(st.path("secret"), []byte(token(o.stdout)), 0o600)
	}
	return o, err
}

func clockCases(old, new *image) []clockCase {
	repo := func(n int) string { return fmt.Sprint("clock", n) }
	created := func(st *site, n int) error { return errors.Join(st.create(repo(n)), st.putImage(repo(n), old)) }
	policy := func(st *site) string { return st.path("gate.yaml") }
	return []clockCase{
		{
			name:  "helper",
			renew: func(*site, int) error { return nil },
			args:  func(*site, int) []string { return []string{"docker-credential-ecrkit", "get"} },
			seen: func(st *site, _ int) error {
				secret, err := os.ReadFile(st.path("secret"))
				if err != nil {
					return err
				}
				return st.checkToken(string(secret), 0)
			},
		},
		{
			name:  "push",
			renew: created,
			args: func(st *site, n int) []string {
				return []string{"ecrkit", "push", "oci:" + new.dir, st.image(repo(n), "new")}
			},
			seen: func(st *site, n int) error { return st.has(repo(n), "new", new) },
		},
		{
			name:  "push --upload v2",
			renew: created,
			args: func(st *site, n int) []string {
				return []string{"ecrkit", "push", "--upload", "v2", "oci:" + new.dir, st.image(repo(n), "new")}
			},
			seen: func(st *site, n int) error { return st.has(repo(n), "new", new) },
		},
		{
			name:  "pull",
			renew: created,
			args: func(st *site, n int) []string {
				return []string{"ecrkit", "pull", st.image(repo(n), "x"), "oci:" + st.path("out", "dst") + ":" + repo(n)}
			},
			seen: func(st *site, n int) error { return holds(layoutFiles(st.path("out", "dst")), repo(n), old) },
		},
		{
			name:  "copy",
			renew: func(st *site, n int) error { return errors.Join(created(st, n), st.create(repo(n)+"/to")) },
			args: func(st *site, n int) []string {
				return []string{"ecrkit", "copy", st.image(repo(n), "x"), st.image(repo(n)+"/to", "x")}
			},
			seen: func(st *site, n int) error { return st.has(repo(n)+"/to", "x", old) },
		},
		{
			name:  "sign",
			renew: created,
			args: func(st *site, n int) []string {
				return []string{"ecrkit", "sign", st.image(repo(n), "x"), "--key", "alias/ecrkit-p256"}
			},
			seen: func(st *site, n int) error {
				return st.must("verify", st.image(repo(n), "x"), "--key", "alias/ecrkit-p256")
			},
		},
		{
			name: "scan gate",
			renew: func(st *site, n int) error {
				// The local ECR measures a scan by its clock: one of two days ago is complete whatever the jump.
				st.server.Clock().Advance(-48 * time.Hour)
				c := &cell{site: st, repo: repo(n)}
				err := c.startScan(old)
				st.server.Clock().Advance(48 * time.Hour)
				return errors.Join(err, os.WriteFile(policy(st), []byte("version: 1\nblock:\n  - severity: CRITICAL\n"), 0o666))
			},
			args: func(st *site, n int) []string {
				return []string{"ecrkit", "scan", "gate", st.image(repo(n), "x"), "--policy", policy(st), "--timeout", "1m"}
			},
			seen: func(*site, int) error { return nil },
		},
		{
			name: "lifecycle put",
			renew: func(st *site, n int) error {
				return errors.Join(created(st, n), os.WriteFile(st.path("policy.json"), []byte(lifecyclePolicy), 0o666))
			},
			args: func(st *site, n int) []string {
				return []string{"ecrkit", "lifecycle", "put", st.server.Registry + "/" + repo(n), "--policy", st.path("policy.json"), "--yes"}
			},
			seen: func(st *site, n int) error {
				has, err := (&cell{site: st, repo: repo(n)}).hasPolicy()
				if err == nil && !has {
					err = errors.New("there is no policy")
				}
				return err
			},
		},
	}
}
