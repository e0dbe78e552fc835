//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
)

// runDisk mounts at each place a disk that is too small, in so many sizes up to one that is enough.
func runDisk(ctx context.Context, s *soak) error {
	r := s.begin("disk")
	old, new, err := s.twoImages(3)
	if err != nil {
		return err
	}
	for _, p := range places() {
		if !s.wants(p.name) {
			continue
		}
		if err := s.fillDisk(ctx, s.tally(r, p.name), p, old, new); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return s.end(r)
}

// twoImages makes a small image and one of 1.8 MiB.
func (s *soak) twoImages(stream uint64) (old, new *image, err error) {
	dice := rand.New(rand.NewPCG(s.seed, stream))
	if old, err = makeImage(fmt.Sprintf("%s/old%d", s.work, stream), dice, 40*kib, 3*kib); err != nil {
		return nil, nil, err
	}
	new, err = makeImage(fmt.Sprintf("%s/new%d", s.work, stream), dice, 300*kib, 1500*kib, 20*kib)
	return old, new, err
}

func (s *soak) fillDisk(ctx context.Context, t *tally, p place, old, new *image) (err error) {
	if p.name == "state directory" { // which takes notes of large layers only
		if new, err = makeImage(s.work+"/large3", rand.New(rand.NewPCG(s.seed, 5)), 11*mib); err != nil {
			return err
		}
	}
	w, err := s.placeRun(p, old, new)
	if err != nil {
		return err
	}
	defer func() { err = joinClose(err, w.site) }()
	for i := range s.sizes {
		if ctx.Err() != nil {
			return nil
		}
		w.n = i
		if err := w.fill(t, p.need*int64(i)/int64(max(s.sizes-1, 1))); err != nil {
			return err
		}
	}
	return nil
}

// fill has the command write to a disk with so many bytes free.
func (w *placeRun) fill(t *tally, free int64) (err error) {
	const enough = 64 * mib
	dir, what := w.path(w.p.dir), fmt.Sprintf("%d KiB free", free/kib)
	if err := mount(dir, enough); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unmount(dir)) }()
	if err := w.p.prepare(w); err != nil {
		return fmt.Errorf("prepare: %w", err)
	}
	taken, err := used(dir)
	if err != nil {
		return err
	}
	// A tmpfs of size 0 has no limit.
	if err := resize(dir, max(taken+free, 4*kib), false); err != nil {
		return err
	}
	o, err := w.do()
	if err != nil {
		return err
	}
	w.judge(t, what, o, true, "no space left on device", "there is no room in ")
	if err := resize(dir, enough, false); err != nil {
		return err
	}
	return w.again(t, what)
}
