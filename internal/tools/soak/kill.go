//go:build linux

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/ecrkit/ecrkit/localecr"
)

// killCase is an operation that is killed.
type killCase struct {
	name string
	// prepare sets the site up for all runs.
	prepare func(k *killing) error
	// renew sets up the next work, which has the number k.n.
	renew func(k *killing) error
	// args are the arguments of ecrkit.
	args func(k *killing) []string
	// held returns an error unless everything is there that was acknowledged before, and nothing by half.
	// acknowledged means that the killed process has said that it was done.
	held func(k *killing, acknowledged bool) error
	// done returns an error unless the work is done.
	done func(k *killing) error
	// left returns what is left behind; nil for the site's leftovers.
	left func(k *killing) []string
}

// killing is a case that runs.
type killing struct {
	*site
	c        killCase
	dice     *rand.Rand
	n        int
	old, new *image
}

// runKill kills each kind of operation at random times. After one to three kills the command runs to its end.
func runKill(ctx context.Context, s *soak) error {
	r := s.begin("kill")
	cases := slices.DeleteFunc(killCases(), func(c killCase) bool { return !s.wants(c.name) })
	helper := s.wants(helperCase)
	all := len(cases)
	if helper {
		all++
	}
	each := func(i int) int { return s.count*(i+1)/all - s.count*i/all }
	for i, c := range cases {
		if ctx.Err() != nil {
			break
		}
		if err := s.kill(ctx, s.tally(r, c.name), c, each(i), uint64(i)); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	if helper && ctx.Err() == nil {
		if err := s.killHelper(ctx, s.tally(r, helperCase), each(all-1)); err != nil {
			return fmt.Errorf("%s: %w", helperCase, err)
		}
	}
	return s.end(r)
}

// kill runs a case until so many processes were killed.
func (s *soak) kill(ctx context.Context, t *tally, c killCase, kills int, stream uint64) (err error) {
	if kills == 0 {
		return nil
	}
	st, err := s.site(localecr.Options{})
	if err != nil {
		return err
	}
	defer func() { err = joinClose(err, st) }()
	k := &killing{site: st, c: c, dice: rand.New(rand.NewPCG(s.seed, stream))}
	if err := c.prepare(k); err != nil {
		return fmt.Errorf("prepare: %w", err)
	}
	usual, err := k.usual()
	if err != nil {
		return err
	}
	for t.Runs < kills && ctx.Err() == nil {
		k.n++
		if err := c.renew(k); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("renew: %w", err)
		}
		for range 1 + k.dice.IntN(3) {
			o, err := k.killedAfter(time.Duration(k.dice.Float64()*1.05*float64(usual)), c.args(k)...)
			if err != nil {
				return err
			}
			if o.killed {
				t.ran(true)
			} else if ctx.Err() == nil && o.code != 0 {
				t.found(wrong, "%d: exit code %d without a kill: %s", k.n, o.code, o)
			}
			if ctx.Err() != nil {
				break
			}
			if err := c.held(k, !o.killed || strings.Contains(o.stdout, "sha256:")); err != nil {
				t.found(lost, "%d: after the kill: %v", k.n, err)
			}
			if t.Runs == kills {
				break
			}
		}
		o, err := k.run(c.args(k)...)
		if err != nil {
			return err
		}
		usual = (7*usual + time.Duration(o.seconds*float64(time.Second))) / 8 // since the machine may be busy or not
		k.after(t, o)
	}
	return nil
}

// after looks at what the run after a kill has done.
func (k *killing) after(t *tally, o outcome) {
	switch {
	case k.soak.ctx.Err() != nil:
		return
	case o.hung:
		t.found(hang, "%d: %s", k.n, o)
	case o.code != 0:
		t.found(wrong, "%d: exit code %d after a kill: %s", k.n, o.code, o)
	}
	if err := k.c.done(k); err != nil {
		t.found(wrong, "%d: %v", k.n, err)
	}
	var found []string
	if k.c.left != nil {
		found = k.c.left(k)
	} else {
		found = k.leftovers()
	}
	if len(found) > 0 {
		t.found(left, "%d: %s", k.n, strings.Join(found, " "))
		_ = os.RemoveAll(k.path("tmp")) // so that it is counted once
		_ = os.Mkdir(k.path("tmp"), 0o700)
	}
}

// usual returns how long the command takes: the median of three runs.
func (k *killing) usual() (time.Duration, error) {
	var took []float64
	for range 3 {
		k.n++
		if err := k.c.renew(k); err != nil {
			return 0, fmt.Errorf("renew: %w", err)
		}
		o, err := k.run(k.c.args(k)...)
		if err != nil {
			return 0, err
		}
		if o.code != 0 {
			return 0, fmt.Errorf("without a kill: exit code %d: %s", o.code, o)
		}
		took = append(took, o.seconds)
		if err := k.c.done(k); err != nil {
			return 0, fmt.Errorf("without a kill: %w", err)
		}
	}
	slices.Sort(took)
	return time.Duration(took[1] * float64(time.Second)), nil
}

// makeImages makes the image that is there at first, or the next one: with a layer of two parts for pushes, and a smaller
// one otherwise.
func (k *killing) makeImages() (err error) {
	if k.old == nil {
		k.old, err = makeImage(k.path("old"), k.dice, 40*kib, 3*kib)
		return err
	}
	if k.new != nil && k.new.dir != k.old.dir {
		if err := os.RemoveAll(k.new.dir); err != nil {
			return err
		}
	}
	large := int64(3 * mib)
	if strings.HasPrefix(k.c.name, "push") {
		large = 11 * mib
	}
	k.new, err = makeImage(k.path("image"), k.dice, 300*kib, large, 20*kib)
	return err
}
