//go:build interop

package interop

import (
	"path/filepath"
	"testing"

	"github.com/ecrkit/ecrkit/internal/demo/stage"
)

// A client is one that needs no engine: the command lines to push the only image or index of an OCI layout,
// to pull one into a layout, and to copy one with all its images.
type client struct {
	name       string
	setup      func(w *site) []string // nil: none
	push       func(layout, tag, ref string) []string
	pull, copy func(src, dst string) []string
}

var clients = []client{
	{
		name: "skopeo",
		push: func(layout, tag, ref string) []string {
			return []string{"skopeo", "--insecure-policy", "copy", "--all", "--dest-tls-verify=false", "oci:" + layout + ":" + tag, "docker://" + ref}
		},
		pull: func(ref, layout string) []string {
			return []string{"skopeo", "--insecure-policy", "copy", "--all", "--src-tls-verify=false", "docker://" + ref, "oci:" + layout}
		},
		copy: func(src, dst string) []string {
			return []string{"skopeo", "--insecure-policy", "copy", "--all", "--src-tls-verify=false", "--dest-tls-verify=false", "docker://" + src, "docker://" + dst}
		},
	},
	{
		name: "crane",
		push: func(layout, _, ref string) []string { return []string{"crane", "push", layout, ref} },
		pull: func(ref, layout string) []string { return []string{"crane", "pull", "--format=oci", ref, layout} },
		copy: func(src, dst string) []string { return []string{"crane", "copy", src, dst} },
	},
	{
		name:  "regctl",
		setup: func(w *site) []string { return []string{"regctl", "registry", "set", "--tls", "disabled", w.Addr} },
		push: func(layout, tag, ref string) []string {
			return []string{"regctl", "image", "copy", "ocidir://" + layout + ":" + tag, ref}
		},
		pull: func(ref, layout string) []string {
			return []string{"regctl", "image", "copy", ref, "ocidir://" + layout}
		},
		copy: func(src, dst string) []string { return []string{"regctl", "image", "copy", src, dst} },
	},
}

// testClients moves an image and a multi-arch index between ecrkit and every other client, in each direction.
func (s *suite) testClients(t *testing.T) {
	w := s.start(t, "--addr", "127.0.0.1:0", "--ephemeral")
	const ours = "ecrkit/pushed"
	w.createRepository(t, ours)
	tags := []string{stage.Tag + "-amd64", stage.Tag}
	w.calls(t)
	for _, tag := range tags {
		w.run(t, "ecrkit", "push", "oci:"+s.images+":"+tag, w.Addr+"/"+ours+":"+tag)
		w.wantImage(t, ours, tag, s.digests[tag])
	}
	calls := w.calls(t)
	wantCall(t, calls, "api", "UploadLayerPart")
	wantCall(t, calls, "api", "PutImage")

	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			if c.setup != nil {
				line := c.setup(w)
				w.run(t, line[0], line[1:]...)
			}
			run := func(line []string) { w.run(t, line[0], line[1:]...) }
			theirs := c.name + "/pushed"
			w.createRepository(t, theirs)
			for _, tag := range tags {
				pushed := w.Addr + "/" + theirs + ":" + tag
				run(c.push(s.layoutOf(t, tag), tag, pushed))
				wantCall(t, w.calls(t), "v2", "PUT /v2/{name}/manifests/")
				w.wantImage(t, theirs, tag, s.digests[tag])

				for name, pull := range map[string]func(dir string) []string{
					"ecrkit, what " + c.name + " pushed": func(dir string) []string { return []string{"ecrkit", "pull", pushed, "oci:" + dir} },
					c.name + ", what ecrkit pushed":      func(dir string) []string { return c.pull(w.Addr+"/"+ours+":"+tag, dir) },
				} {
					layout := filepath.Join(t.TempDir(), "layout")
					run(pull(layout))
					if got := verifyLayout(t, layout); got != s.digests[tag] {
						t.Errorf("pulled by %s: %s is %s, want %s", name, tag, got, s.digests[tag])
					}
				}
			}

			copied := c.name + "/copied"
			w.createRepository(t, copied)
			run(c.copy(w.Addr+"/"+ours+":"+stage.Tag, w.Addr+"/"+copied+":"+stage.Tag))
			w.wantImage(t, copied, stage.Tag, s.digests[stage.Tag])
		})
	}
}
