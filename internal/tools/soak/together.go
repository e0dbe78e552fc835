//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"

	"github.com/ecrkit/ecrkit/localecr"
)

const (
	// processes run at the same time on one file.
	processes = 64
	// differentImages are shared by the processes.
	differentImages = 8
)

// crowd is what many processes do at the same time.
type crowd struct {
	name  string
	start func(st *site, i int) (*process, error)
	// done returns an error unless the work of process i is done.
	done func(st *site, i int, o outcome) error
	// after returns an error unless all of it is as it should be.
	after func(st *site) error
	names []string
}

// runTogether has many processes write to one layout, one archive and one token cache.
func runTogether(ctx context.Context, s *soak) error {
	r := s.begin("together")
	dice := rand.New(rand.NewPCG(s.seed, 6))
	var images []*image
	for i := range differentImages {
		m, err := makeImage(fmt.Sprintf("%s/crowd%d", s.work, i), dice, 20*kib, 200*kib)
		if err != nil {
			return err
		}
		images = append(images, m)
	}
	for _, c := range crowds(images) {
		if !s.wants(c.name) {
			continue
		}
		t := s.tally(r, c.name)
		for round := range s.rounds {
			if ctx.Err() != nil {
				break
			}
			if err := s.together(t, c, images, fmt.Sprint("round ", round)); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
	}
	return s.end(r)
}

func (s *soak) together(t *tally, c crowd, images []*image, what string) (err error) {
	st, err := s.site(localecr.Options{Accounts: helperAccounts()})
	if err != nil {
		return err
	}
	defer func() { err = joinClose(err, st) }()
	for i, m := range images {
		repository := fmt.Sprint("crowd", i)
		if err := errors.Join(st.create(repository), st.putImage(repository, m)); err != nil {
			return err
		}
	}
	st.calls.Reset()
	var all [processes]*process
	for i := range all {
		if all[i], err = c.start(st, i); err != nil {
			return err
		}
	}
	var outcomes [processes]outcome
	var group sync.WaitGroup
	for i, p := range all {
		group.Go(func() { outcomes[i] = p.wait(st) })
	}
	group.Wait()
	if s.ctx.Err() != nil {
		return nil
	}
	if c.after != nil { // before anything else calls the server
		if err := c.after(st); err != nil {
			t.found(wrong, "%s: %v", what, err)
		}
	}
	for i, o := range outcomes {
		t.ran(o.code != 0)
		switch {
		case o.hung:
			t.found(hang, "%s, %d: %s", what, i, o)
		case o.code != 0:
			t.found(wrong, "%s, %d: exit code %d: %s", what, i, o.code, o)
		default:
			if err := c.done(st, i, o); err != nil {
				t.found(lost, "%s, %d: %v", what, i, err)
			}
		}
	}
	found := append(st.leftovers(c.names...), st.cacheLeftovers(st.path("home", ".cache", "ecrkit", "v1"))...)
	if len(c.names) > 0 { // names are known above only
		found = st.leftovers(c.names...)
	}
	if len(found) > 0 {
		t.found(left, "%s: %s", what, strings.Join(found, " "))
	}
	return nil
}

func crowds(images []*image) []crowd {
	of := func(i int) *image { return images[i%differentImages] }
	source := func(st *site, i int) string { return st.image(fmt.Sprint("crowd", i%differentImages), "x") }
	pull := func(name, kind, file string, tag func(i int) string, done func(st *site, i int) error) crowd {
		return crowd{
			name:  name,
			names: []string{file},
			start: func(st *site, i int) (*process, error) {
				return st.start(nil, "ecrkit", "", append([]string{"pull", source(st, i), kind + ":" + st.path("out", file) + ":" + tag(i)}, quiet...)...)
			},
			done: func(st *site, i int, _ outcome) error { return done(st, i) },
		}
	}
	own := func(i int) string { return fmt.Sprint("t", i) }
	layout := func(st *site, i int) error { return holds(layoutFiles(st.path("out", "dst")), own(i), of(i)) }
	archive := func(st *site, i int) error {
		read, err := tarFiles(st.path("out", "a.tar"))
		if err != nil {
			return err
		}
		return holds(read, own(i), of(i))
	}
	same := pull("64 pulls to one docker-archive, one image", "docker-archive", "a.tar", func(int) string { return "app:x" },
		func(st *site, _ int) error { return dockerHolds(st.path("out", "a.tar"), images[0]) })
	same.start = func(st *site, _ int) (*process, error) {
		return st.start(nil, "ecrkit", "", append([]string{"pull", source(st, 0), "docker-archive:" + st.path("out", "a.tar") + ":app:x"}, quiet...)...)
	}
	other := pull("64 pulls to one docker-archive, 8 images", "docker-archive", "a.tar", func(int) string { return "app:x" },
		func(st *site, _ int) error {
			for _, m := range images { // the last one to write has won
				if dockerHolds(st.path("out", "a.tar"), m) == nil {
					return nil
				}
			}
			return errors.New("the archive has none of the images")
		})
	pushes := crowd{
		name: "64 pushes to one repository, 8 images",
		start: func(st *site, i int) (*process, error) {
			return st.start(nil, "ecrkit", "", append([]string{"push", "oci:" + of(i).dir, st.image("app", own(i))}, quiet...)...)
		},
		done: func(st *site, i int, _ outcome) error { return st.has("app", own(i), of(i)) },
	}
	helper := func(name string, user func(i int) int, minted int) crowd {
		return crowd{
			name: name,
			start: func(st *site, i int) (*process, error) {
				return st.start(keys(user(i)), "docker-credential-ecrkit", st.server.Registry, "get")
			},
			done: func(st *site, i int, o outcome) error { return st.checkToken(token(o.stdout), user(i)) },
			after: func(st *site) error {
				if n := st.calls.Count("GetAuthorizationToken"); n != minted {
					return fmt.Errorf("%d calls of GetAuthorizationToken, not %d", n, minted)
				}
				if _, err := os.Stat(st.path("home", ".cache", "ecrkit", "v1")); err != nil {
					return err
				}
				return nil
			},
		}
	}
	return []crowd{
		pull("64 pulls to one layout, 64 tags", "oci", "dst", own, layout),
		pull("64 pulls to one oci-archive, 64 tags", "oci-archive", "a.tar", own, archive),
		same, other, pushes,
		helper("64 gets of the helper, one user", func(int) int { return 0 }, 1),
		helper("64 gets of the helper, 16 users", func(i int) int { return i % 16 }, 16),
	}
}
