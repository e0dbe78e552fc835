//go:build linux

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"

	"github.com/ecrkit/ecrkit/localecr"
)

// place is a directory that a command writes to.
type place struct {
	name string
	dir  string // below the site's directory
	// need is how many bytes are enough.
	need int64
	// optional means that the command does its work without the directory.
	optional bool
	// prepare puts what is there before into the directory.
	prepare func(w *placeRun) error
	args    func(w *placeRun) []string
	helper  bool // it is the credential helper
	// kept returns an error unless what was there before is there.
	kept func(w *placeRun) error
	// seen reports whether the work is done, and returns an error if it is done wrong.
	seen func(w *placeRun) (bool, error)
	// names are what may be in the directory out.
	names []string
}

// placeRun is a site at which a command writes to a place.
type placeRun struct {
	*site
	p        place
	old, new *image
	n        int
	token    string // of the first user, which is in the cache
	secret   string // that the helper has printed last
	packed   string // the new image as a docker archive in gzip
}

// places are all of them.
func places() []place {
	out := func(w *placeRun, name string) string { return w.path("out", name) }
	layout := place{
		name: "layout", dir: "out", need: 3 * mib, names: []string{"dst"},
		prepare: func(w *placeRun) error {
			return w.must(append([]string{"copy", "oci:" + w.old.dir, "oci:" + out(w, "dst") + ":old"}, quiet...)...)
		},
		args: func(w *placeRun) []string {
			return append([]string{"pull", w.image("app", "x"), "oci:" + out(w, "dst") + ":x"}, quiet...)
		},
		kept: func(w *placeRun) error {
			return errors.Join(holds(layoutFiles(out(w, "dst")), "old", w.old), noBadBlob(out(w, "dst")))
		},
		seen: func(w *placeRun) (bool, error) { return tagSeen(layoutFiles(out(w, "dst")), w.new) },
	}
	ociArchive := place{
		name: "oci-archive", dir: "out", need: 6 * mib, names: []string{"a.tar"},
		prepare: func(w *placeRun) error {
			return w.must(append([]string{"copy", "oci:" + w.old.dir, "oci-archive:" + out(w, "a.tar") + ":old"}, quiet...)...)
		},
		args: func(w *placeRun) []string {
			return append([]string{"pull", w.image("app", "x"), "oci-archive:" + out(w, "a.tar") + ":x"}, quiet...)
		},
		kept: func(w *placeRun) error {
			read, err := tarFiles(out(w, "a.tar"))
			if err != nil {
				return err
			}
			return holds(read, "old", w.old)
		},
		seen: func(w *placeRun) (bool, error) {
			read, err := tarFiles(out(w, "a.tar"))
			if errors.Is(err, fs.ErrNotExist) {
				return false, nil
			}
			if err != nil {
				return false, err
			}
			return tagSeen(read, w.new)
		},
	}
	dockerArchive := place{
		name: "docker-archive", dir: "out", need: 6 * mib, names: []string{"a.tar"},
		prepare: func(w *placeRun) error {
			return w.must(append([]string{"copy", "oci:" + w.old.dir, "docker-archive:" + out(w, "a.tar") + ":app:x"}, quiet...)...)
		},
		args: func(w *placeRun) []string {
			return append([]string{"pull", w.image("app", "x"), "docker-archive:" + out(w, "a.tar") + ":app:x"}, quiet...)
		},
		kept: func(w *placeRun) error {
			if dockerHolds(out(w, "a.tar"), w.new) == nil {
				return nil // it has replaced the old one
			}
			return dockerHolds(out(w, "a.tar"), w.old)
		},
		seen: func(w *placeRun) (bool, error) { return dockerHolds(out(w, "a.tar"), w.new) == nil, nil },
	}
	blob := place{
		name: "file of a blob", dir: "out", need: 3 * mib, names: []string{"layer"},
		prepare: func(w *placeRun) error { return os.WriteFile(out(w, "layer"), []byte("old"), 0o600) },
		args: func(w *placeRun) []string {
			return []string{"blob", "fetch", w.server.Registry + "/app@" + w.new.layers[1].Digest.String(), "--to", out(w, "layer")}
		},
		kept: func(w *placeRun) error {
			data, err := os.ReadFile(out(w, "layer"))
			if err == nil && string(data) != "old" && int64(len(data)) != w.new.layers[1].Size {
				err = fmt.Errorf("the file has %d bytes", len(data))
			}
			return err
		},
		seen: func(w *placeRun) (bool, error) {
			data, err := os.ReadFile(out(w, "layer"))
			if err != nil || int64(len(data)) != w.new.layers[1].Size {
				return false, nil
			}
			if w.new.layers[1].Digest.Algorithm().FromBytes(data) != w.new.layers[1].Digest {
				return true, errors.New("the file has another digest")
			}
			return true, nil
		},
	}
	cache := place{
		name: "token cache", dir: "home/.cache", need: 200 * kib, optional: true, helper: true,
		prepare: func(w *placeRun) error {
			o, err := w.get(0)
			if w.token = token(o.stdout); err == nil && w.token == "" {
				err = errors.New(o.String())
			}
			return err
		},
		kept: func(w *placeRun) error {
			w.calls.Reset()
			o, err := w.get(0)
			if err == nil && (token(o.stdout) != w.token || w.calls.Count("GetAuthorizationToken") > 0) {
				err = fmt.Errorf("the token that was in the cache is gone: %s", o)
			}
			return err
		},
		seen: func(w *placeRun) (bool, error) {
			if w.secret == "" {
				return false, nil
			}
			return true, w.checkToken(w.secret, 1)
		},
	}
	push := func(w *placeRun, from ...string) []string {
		return append(append([]string{"push"}, append(from, w.image("app", fmt.Sprint("n", w.n)))...), quiet...)
	}
	pushed := func(w *placeRun) (bool, error) {
		d, err := w.tagged("app", fmt.Sprint("n", w.n))
		if err != nil || d == "" {
			return false, err
		}
		return true, nil // the content is checked by the tag's digest, and that by the server
	}
	none := func(*placeRun) error { return nil }
	state := place{
		name: "state directory", dir: "home/.local/state", need: 200 * kib, optional: true,
		prepare: none, kept: none, seen: pushed,
		args: func(w *placeRun) []string { return push(w, "--upload", "native", "oci:"+w.new.dir) },
	}
	layers := place{
		name: "layer cache", dir: "home/.cache", need: 200 * kib, optional: true,
		prepare: none, kept: none, seen: pushed,
		args: func(w *placeRun) []string { return push(w, "docker-archive:"+w.packed) },
	}
	temporary := place{
		name: "temporary directory", dir: "tmp", need: 8 * mib,
		prepare: none, kept: none, seen: pushed,
		args: func(w *placeRun) []string { return push(w, "docker-archive:"+w.packed) },
	}
	return []place{layout, ociArchive, dockerArchive, blob, cache, state, layers, temporary}
}

// tagSeen reports whether a layout has the tag x; if it is not the image, whole, that is an error.
func tagSeen(read reader, m *image) (bool, error) {
	tags, err := tagsOf(read)
	if err != nil || tags["x"] == "" {
		return false, err
	}
	return true, holds(read, "x", m)
}

// get runs the helper for user i.
func (st *site) get(i int) (outcome, error) {
	p, err := st.start(keys(i), "docker-credential-ecrkit", st.server.Registry, "get")
	if err != nil {
		return outcome{}, err
	}
	return p.wait(st), nil
}

// placeRun sets up a site for a place, whose images differ from run to run only if fresh is called.
func (s *soak) placeRun(p place, old, new *image) (w *placeRun, err error) {
	st, err := s.site(localecr.Options{Accounts: helperAccounts()})
	if err != nil {
		return nil, err
	}
	w = &placeRun{site: st, p: p, old: old, new: new}
	defer func() {
		if err != nil {
			err = joinClose(err, st)
		}
	}()
	if err := st.putImage("app", new); err != nil {
		return nil, err
	}
	if strings.Contains(p.name, "layer cache") || strings.Contains(p.name, "temporary") {
		plain := st.path("packed.tar")
		if err := st.must(append([]string{"copy", "oci:" + new.dir, "docker-archive:" + plain + ":app:x"}, quiet...)...); err != nil {
			return nil, err
		}
		if p.name == "temporary directory" {
			if err := exec.Command("gzip", "-1", plain).Run(); err != nil {
				return nil, err
			}
			plain += ".gz"
		}
		w.packed = plain
	}
	return w, nil
}

// do runs the command of the place.
func (w *placeRun) do() (outcome, error) {
	p, err := w.begin()
	if err != nil {
		return outcome{}, err
	}
	return w.end(p), nil
}

func (w *placeRun) begin() (*process, error) {
	if w.p.helper {
		return w.start(keys(1), "docker-credential-ecrkit", w.server.Registry, "get")
	}
	return w.start(nil, "ecrkit", "", w.p.args(w)...)
}

func (w *placeRun) end(p *process) outcome {
	o := p.wait(w.site)
	if w.p.helper {
		w.secret = token(o.stdout)
	}
	return o
}

// judge looks at a run in bad conditions: it has done its work, or has failed with a clear error and done nothing. What
// was there before is there.
func (w *placeRun) judge(t *tally, what string, o outcome, kept bool, words ...string) {
	t.ran(o.code != 0)
	seen, err := w.p.seen(w)
	switch {
	case w.soak.ctx.Err() != nil:
		return
	case o.hung:
		t.found(hang, "%s: %s", what, o)
	case err != nil:
		t.found(wrong, "%s: exit code %d: %v: %s", what, o.code, err, o)
	case o.code == 0 && !seen:
		t.found(lost, "%s: exit code 0, but the work is not to be seen: %s", what, o)
	case o.code != 0 && seen:
		t.found(wrong, "%s: exit code %d, but the work is to be seen: %s", what, o.code, o)
	case o.code != 0 && w.p.optional:
		t.found(wrong, "%s: exit code %d, though it can do without: %s", what, o.code, o)
	case o.code != 0:
		if why := w.unclear(o, words); why != "" {
			t.found(unclear, "%s: %s: exit code %d: %s", what, why, o.code, o)
		}
	}
	if kept {
		if err := w.p.kept(w); err != nil {
			t.found(lost, "%s: exit code %d: %v: %s", what, o.code, err, o)
		}
	}
}

// unclear returns what is wrong with an error.
func (w *placeRun) unclear(o outcome, words []string) string {
	text := o.stderr
	switch {
	case o.code != 1:
		return "wrong exit code"
	case strings.Count(text, "ecrkit: ") != 1 || len(text) > 900:
		return "not one short line"
	case !strings.Contains(text, w.dir):
		return "does not name the file"
	}
	for _, word := range words {
		if strings.Contains(text, word) {
			return ""
		}
	}
	return "does not say why"
}

// again runs the command in good conditions.
func (w *placeRun) again(t *tally, what string) error {
	o, err := w.do()
	if err != nil || w.soak.ctx.Err() != nil {
		return err
	}
	if seen, err := w.p.seen(w); o.code != 0 || !seen || err != nil {
		t.found(wrong, "%s: the run after that: exit code %d, seen %v, %v: %s", what, o.code, seen, err, o)
	}
	found := w.leftovers(w.p.names...)
	if w.p.helper {
		found = append(found, w.cacheLeftovers(w.path("home", ".cache", "ecrkit", "v1"))...)
	}
	if len(found) > 0 {
		t.found(left, "%s: %s", what, strings.Join(found, " "))
	}
	return nil
}
