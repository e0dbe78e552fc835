//go:build interop

package interop

import (
	"path/filepath"
	"testing"
)

// mirrorSet lets skopeo read each image of a set of two repositories, which ecrkit mirror export wrote, by its whole name: from
// the tar as docs/mirror.md shows it, and from the directory that the tar unpacks to. minisign verifies the set, and signs it for
// ecrkit.
func (w *site) mirrorSet(t *testing.T, kinds []kind, pushed, to string) {
	dir := t.TempDir()
	set, layout := filepath.Join(dir, "usb"), filepath.Join(dir, "layout")
	export := []string{"ecrkit", "mirror", "export", "--to", set}
	other := to + "/mirrored"
	names := map[string]kind{}
	for _, k := range kinds {
		w.run(t, "ecrkit", "copy", "--create-repository", pushed+":"+k.name, other+":"+k.name+"-2")
		names[pushed+":"+k.name], names[other+":"+k.name+"-2"] = k, k
	}
	for name := range names {
		export = append(export, name)
	}
	secret, public, description := filepath.Join(dir, "minisign.key"), filepath.Join(dir, "minisign.pub"), filepath.Join(set, "set.json")
	w.run(t, "minisign", "-G", "-W", "-s", secret, "-p", public)
	w.runLine(t, append(export, "--sign", secret))
	w.run(t, "minisign", "-V", "-p", public, "-m", description)
	w.run(t, "rm", description+".minisig")
	w.refused(t, "the set is not signed", "ecrkit", "mirror", "verify", set, "--key", public)
	w.run(t, "minisign", "-S", "-s", secret, "-m", description)
	w.run(t, "ecrkit", "mirror", "verify", set, "--key", public)
	w.run(t, "mkdir", layout)
	w.run(t, "tar", "-xf", filepath.Join(set, "images.tar"), "-C", layout)
	for name, k := range names {
		if k.name != "oci" && k.name != "index" {
			continue // of Docker's media types skopeo finds nothing in an OCI layout
		}
		for _, place := range []string{"oci-archive:" + filepath.Join(set, "images.tar"), "oci:" + layout} {
			copied := t.TempDir()
			w.runLine(t, skopeoCopy(place+":"+name, "dir:"+copied))
			wantDigest(t, "skopeo copies", verifySkopeoDir(t, copied), k.digest)
		}
	}
}
