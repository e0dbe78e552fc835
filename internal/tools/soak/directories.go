//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"
)

// runDirectories has each place be read-only, and vanish at random times.
func runDirectories(ctx context.Context, s *soak) error {
	r := s.begin("directories")
	old, new, err := s.twoImages(4)
	if err != nil {
		return err
	}
	for i, p := range places() {
		if !s.wants(p.name) {
			continue
		}
		if err := s.spoil(ctx, r, p, old, new, rand.New(rand.NewPCG(s.seed, uint64(100+i)))); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return s.end(r)
}

func (s *soak) spoil(ctx context.Context, r *section, p place, old, new *image, dice *rand.Rand) (err error) {
	w, err := s.placeRun(p, old, new)
	if err != nil {
		return err
	}
	defer func() { err = joinClose(err, w.site) }()
	readOnly := s.tally(r, p.name+", read-only")
	if err := w.readOnly(readOnly); err != nil {
		return err
	}
	for _, way := range []string{"removed", "renamed"} {
		t := s.tally(r, p.name+", "+way)
		usual := 300 * time.Millisecond
		for i := range s.vanish {
			if ctx.Err() != nil {
				return nil
			}
			w.n++
			took, err := w.vanish(t, way, fmt.Sprint(i), time.Duration(dice.Float64()*1.1*float64(usual)))
			if err != nil {
				return err
			}
			usual = (3*usual + took) / 4
		}
	}
	return nil
}

// readOnly has the place on a file system that cannot be written to, with what was there before and empty.
func (w *placeRun) readOnly(t *tally) (err error) {
	dir := w.path(w.p.dir)
	for _, full := range []bool{true, false} {
		if err := mount(dir, 64*mib); err != nil {
			return err
		}
		what := "empty"
		if full {
			what = "with earlier content"
			if err := w.p.prepare(w); err != nil {
				return errors.Join(err, unmount(dir))
			}
		}
		w.n++
		err := resize(dir, 64*mib, true)
		if err == nil {
			var o outcome
			if o, err = w.do(); err == nil {
				w.judge(t, what, o, full, "read-only file system")
			}
		}
		if err = errors.Join(err, resize(dir, 64*mib, false)); err == nil {
			err = w.again(t, what)
		}
		if err = errors.Join(err, unmount(dir)); err != nil {
			return err
		}
	}
	return nil
}

// vanish removes or renames the place after a time, while the command runs. It returns how long that took.
func (w *placeRun) vanish(t *tally, way, what string, after time.Duration) (time.Duration, error) {
	dir := w.path(w.p.dir)
	if err := os.RemoveAll(dir); err != nil {
		return 0, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return 0, err
	}
	if err := w.p.prepare(w); err != nil {
		return 0, fmt.Errorf("prepare: %w", err)
	}
	p, err := w.begin()
	if err != nil {
		return 0, err
	}
	gone := false
	timer := time.NewTimer(after)
	defer timer.Stop()
	select {
	case <-timer.C:
		gone = true
		if way == "renamed" {
			err = os.Rename(dir, dir+".gone")
		} else {
			err = os.RemoveAll(dir)
			for err != nil && strings.Contains(err.Error(), "directory not empty") { // it writes to it at the same time
				err = os.RemoveAll(dir)
			}
		}
		if err != nil {
			return 0, err
		}
	case <-p.done:
	}
	o := w.end(p)
	// What was removed in the meantime cannot be there, and a place that has gone is no failure of the command.
	t.ran(o.code != 0)
	switch {
	case o.hung:
		t.found(hang, "%s: %s", what, o)
	case o.code != 0 && w.p.optional:
		t.found(wrong, "%s: exit code %d, though it can do without: %s", what, o.code, o)
	case o.code != 0 && !gone:
		t.found(wrong, "%s: exit code %d, and nothing had vanished: %s", what, o.code, o)
	case o.code != 0:
		if why := w.unclear(o, []string{"no such file or directory", "was removed", "does not exist", "another directory", "not a directory"}); why != "" {
			t.found(unclear, "%s after %v: %s: exit code %d: %s", what, after, why, o.code, o)
		}
	case w.p.optional || !gone:
		if seen, err := w.p.seen(w); !seen || err != nil {
			t.found(wrong, "%s: exit code 0, seen %v, %v: %s", what, seen, err, o)
		}
	}
	if way == "renamed" && gone {
		if err := os.RemoveAll(dir + ".gone"); err != nil {
			return 0, err
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return 0, err
	}
	return time.Duration(o.seconds * float64(time.Second)), w.again(t, what)
}
