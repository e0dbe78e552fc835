//go:build interop

package interop

import (
	"slices"
	"testing"
)

// testTagsAndIndexes lets the peers look at what ecrkit tag and ecrkit index have made.
func (s *suite) testTagsAndIndexes(t *testing.T) {
	w := s.start(t, "--ephemeral").with(map[string]string{"DOCKER_HOST": startDocker(t)})
	w.setupClients(t, w.Addr)
	const repository = "index/app"
	w.createRepository(t, repository)
	image := w.Addr + "/" + repository
	for _, k := range s.kinds {
		w.run(t, "crane", "push", k.layout, image+":"+k.name)
		t.Run("tag "+k.name, func(t *testing.T) {
			w.run(t, "ecrkit", "tag", image+":"+k.name, k.name+"-stable", "latest")
			for _, c := range clients {
				wantDigest(t, c.name+" says", w.runLine(t, c.digest(image+":"+k.name+"-stable")), k.digest)
				wantDigest(t, c.name+" says", w.runLine(t, c.digest(image+":latest")), k.digest)
			}
			w.wantManifest(t, repository, "latest", k.digest)
		})
	}

	// The images of an index, each under a tag of its own.
	for _, k := range s.kinds {
		if k.single() {
			continue
		}
		t.Run("index create of "+k.name, func(t *testing.T) {
			var sources, digests []string
			for _, arch := range []string{"amd64", "arm64"} {
				tag := k.name + "-" + arch
				digest := w.run(t, "crane", "digest", "--platform", "linux/"+arch, image+":"+k.name)
				w.run(t, "crane", "tag", image+"@"+digest, tag)
				sources, digests = append(sources, image+":"+tag), append(digests, digest)
			}
			made := image + ":" + k.name + "-made"
			k.digest = w.result(t, append([]string{"index", "create", made}, sources...)...)
			w.wantPulled(t, made, k.digest)
			w.run(t, "crane", "validate", "--remote", made)
			var got []string
			for _, child := range w.manifest(t, made).Manifests {
				got = append(got, child.Digest)
			}
			if !slices.Equal(got, digests) {
				t.Errorf("the index has the images %q, want %q", got, digests)
			}
			for i, arch := range []string{"amd64", "arm64"} {
				wantDigest(t, "regctl finds for "+arch, w.run(t, "regctl", "image", "digest", "--platform", "linux/"+arch, made), digests[i])
			}
			w.wantManifest(t, repository, k.name+"-made", k.digest)
			w.wantRuns(t, k, made)
			wantDigest(t, "docker pulls", repoDigest(t, w, made), k.digest)
		})
	}
}
