//go:build interop

package interop

import (
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
)

// A client is one that needs no engine. Its functions give command lines.
type client struct {
	name  string
	setup func(addr string) []string // for a registry without TLS; nil: none
	// push pushes an example, pull writes one to a directory, copy copies one
	// with all its images.
	push       func(t *testing.T, k kind, ref string) []string
	pull, copy func(src, dst string) []string
	digest     func(ref string) []string                 // prints what ref names
	verify     func(t *testing.T, dir string) (d string) // what pull has written
}

var clients = []client{
	{
		name: "skopeo",
		// skopeo reads no manifests of Docker in an OCI layout, and writes others in their place.
		push: func(t *testing.T, k kind, ref string) []string {
			return skopeoCopy("--dest-tls-verify="+tlsVerify(ref), "dir:"+k.skopeoDir(t), "docker://"+ref)
		},
		pull: func(ref, dir string) []string {
			return skopeoCopy("--src-tls-verify="+tlsVerify(ref), "docker://"+ref, "dir:"+dir)
		},
		copy: func(src, dst string) []string {
			return skopeoCopy("--src-tls-verify="+tlsVerify(src), "--dest-tls-verify="+tlsVerify(dst), "docker://"+src, "docker://"+dst)
		},
		digest: func(ref string) []string {
			return []string{"skopeo", "inspect", "--tls-verify=" + tlsVerify(ref), "--format", "{{.Digest}}", "docker://" + ref}
		},
		verify: verifySkopeoDir,
	},
	{
		name:   "crane",
		push:   func(_ *testing.T, k kind, ref string) []string { return []string{"crane", "push", k.layout, ref} },
		pull:   func(ref, dir string) []string { return []string{"crane", "pull", "--format=oci", ref, dir} },
		copy:   func(src, dst string) []string { return []string{"crane", "copy", src, dst} },
		digest: func(ref string) []string { return []string{"crane", "digest", ref} },
		verify: verifyLayout,
	},
	{
		name:  "regctl",
		setup: func(addr string) []string { return []string{"regctl", "registry", "set", "--tls", "disabled", addr} },
		push: func(_ *testing.T, k kind, ref string) []string {
			return []string{"regctl", "image", "copy", "ocidir://" + k.layout + ":" + k.name, ref}
		},
		pull:   func(ref, dir string) []string { return []string{"regctl", "image", "copy", ref, "ocidir://" + dir} },
		copy:   func(src, dst string) []string { return []string{"regctl", "image", "copy", src, dst} },
		digest: func(ref string) []string { return []string{"regctl", "image", "digest", ref} },
		verify: verifyLayout,
	},
}

// skopeoCopy is skopeo's command to copy an image, or an index with all its images, as it is.
func skopeoCopy(args ...string) []string {
	return append([]string{"skopeo", "--insecure-policy", "copy", "--all", "--preserve-digests"}, args...)
}

// setupClients tells the clients that need it if the registry has no TLS.
func (w *site) setupClients(t *testing.T, addr string) {
	t.Helper()
	if !isPlain(addr) {
		return
	}
	for _, c := range clients {
		if c.setup != nil {
			w.runLine(t, c.setup(addr))
		}
	}
}

// testClients moves an example of each kind between ecrkit and every other client, in each direction.
func (s *suite) testClients(t *testing.T) {
	w := s.start(t, "--ephemeral")
	w.setupClients(t, w.Addr)
	// A client that may not mount a blob waits before it goes on, regctl for seconds.
	mounting := &ecr.PutAccountSettingInput{Name: aws.String("BLOB_MOUNTING"), Value: aws.String("ENABLED")}
	if _, err := w.ECR().PutAccountSetting(t.Context(), mounting); err != nil {
		t.Fatal(err)
	}
	const ours = "ecrkit/pushed"
	w.createRepository(t, ours)
	for i, k := range s.kinds {
		upload := []string{"native", "v2", "auto", "auto"}[i]
		w.calls(t)
		w.run(t, "ecrkit", "push", "--upload", upload, "oci:"+k.layout+":"+k.name, w.Addr+"/"+ours+":"+k.name)
		calls := w.calls(t)
		wantCall(t, calls, "api", "PutImage")
		switch upload {
		case "native":
			wantCall(t, calls, "api", "UploadLayerPart")
		case "v2":
			wantCall(t, calls, "v2", "PUT /v2/{name}/blobs/uploads/")
		}
		w.wantManifest(t, ours, k.name, k.digest)
		w.run(t, "crane", "validate", "--remote", w.Addr+"/"+ours+":"+k.name)
	}
	w.wantImages(t, ours, s.kinds)

	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			theirs, copied := c.name+"/pushed", c.name+"/copied"
			w.createRepository(t, theirs)
			w.createRepository(t, copied)
			for _, k := range s.kinds {
				t.Run(k.name, func(t *testing.T) { w.exchange(t, c, k, w.Addr+"/"+ours+":"+k.name, theirs, copied) })
			}
			w.wantImages(t, theirs, s.kinds)
		})
	}
}

// exchange lets a client push an example to one repository and copy what ecrkit has pushed to another, and
// each side pull what the other has pushed.
func (w *site) exchange(t *testing.T, c client, k kind, ours, theirs, copied string) {
	pushed := w.Addr + "/" + theirs + ":" + k.name
	w.calls(t)
	w.runLine(t, c.push(t, k, pushed))
	wantCall(t, w.calls(t), "v2", "PUT /v2/{name}/manifests/")
	w.wantImage(t, theirs, k.name, k.digest)

	dir := filepath.Join(t.TempDir(), c.name)
	w.runLine(t, c.pull(ours, dir))
	wantDigest(t, c.name+" pulls", c.verify(t, dir), k.digest)
	wantDigest(t, c.name+" says", w.runLine(t, c.digest(ours)), k.digest)

	dir = filepath.Join(t.TempDir(), "layout")
	wantDigest(t, "ecrkit says", w.result(t, "pull", pushed, "oci:"+dir), k.digest)
	wantDigest(t, "ecrkit pulls", verifyLayout(t, dir), k.digest)

	w.runLine(t, c.copy(ours, w.Addr+"/"+copied+":"+k.name))
	w.wantImage(t, copied, k.name, k.digest)
}
