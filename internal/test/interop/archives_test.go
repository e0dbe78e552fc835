//go:build interop

package interop

import (
	"encoding/json"
	"path/filepath"
	"testing"
)

// testArchives lets ecrkit read the archives that docker, skopeo, crane and regctl write, and each of them
// read what ecrkit writes.
func (s *suite) testArchives(t *testing.T) {
	w := s.start(t, "--ephemeral").with(map[string]string{"DOCKER_HOST": startDocker(t)})
	w.setupClients(t, w.Addr)
	const theirs = "peers/app"
	w.createRepository(t, theirs)
	for _, k := range s.kinds {
		w.run(t, "crane", "push", k.layout, w.Addr+"/"+theirs+":"+k.name)
	}
	for _, name := range []string{"archives/read", "archives/written", "archives/compressed", "archives/piped", "archives/several"} {
		w.createRepository(t, name)
	}
	for _, k := range s.kinds {
		pushed := w.Addr + "/" + theirs + ":" + k.name
		t.Run(k.name, func(t *testing.T) {
			w.readOCIArchives(t, k, pushed, w.Addr+"/archives/read:"+k.name)
			w.writeOCIArchive(t, k, pushed, w.Addr+"/archives/written:"+k.name)
			if k.single() {
				w.readDockerArchives(t, k, pushed, w.Addr+"/archives/read:"+k.name)
				w.writeDockerArchive(t, k, pushed, w.Addr+"/archives/written:"+k.name)
				w.compress(t, k, pushed, w.Addr+"/archives/compressed:"+k.name)
				w.pipeArchives(t, k, pushed, w.Addr+"/archives/piped:"+k.name)
			}
		})
	}
	t.Run("several images", func(t *testing.T) {
		w.severalImages(t, s.kinds, w.Addr+"/"+theirs, w.Addr+"/archives/several")
	})
	t.Run("a set of a mirror", func(t *testing.T) {
		w.mirrorSet(t, s.kinds, w.Addr+"/"+theirs, w.Addr+"/archives/several")
	})
}

// readOCIArchives pushes the archives with an OCI layout that the peers make of the image pushed.
func (w *site) readOCIArchives(t *testing.T, k kind, pushed, to string) {
	t.Run("oci-archive of regctl", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "image.tar")
		w.run(t, "regctl", "image", "export", pushed, file)
		w.wantPushed(t, k, k.digest, "oci-archive:"+file, to+"-regctl")
	})
	t.Run("oci-archive of skopeo", func(t *testing.T) {
		archive := "oci-archive:" + filepath.Join(t.TempDir(), "image.tar") + ":" + k.name
		// Without --preserve-digests: it makes an OCI image of one of Docker.
		w.run(t, "skopeo", "--insecure-policy", "copy", "--all", "--src-tls-verify="+tlsVerify(pushed), "docker://"+pushed, archive)
		digest := w.run(t, "skopeo", "inspect", "--format", "{{.Digest}}", archive)
		if k.name == "oci" || k.name == "index" {
			wantDigest(t, "skopeo makes", digest, k.digest)
		}
		w.wantPushed(t, k, digest, archive, to+"-skopeo")
	})
}

// readDockerArchives pushes the archives that docker and others make of an image as `docker save` does.
func (w *site) readDockerArchives(t *testing.T, k kind, pushed, to string) {
	for _, writer := range []struct {
		name  string
		write func(file string) []string
	}{
		{"docker", func(file string) []string { return []string{"docker", "save", "--output", file, pushed} }},
		{"skopeo", func(file string) []string {
			return []string{"skopeo", "--insecure-policy", "copy", "--src-tls-verify=" + tlsVerify(pushed), "docker://" + pushed, "docker-archive:" + file + ":app:" + k.name}
		}},
		{"crane", func(file string) []string { return []string{"crane", "pull", pushed, file} }},
		{"crane-legacy", func(file string) []string { return []string{"crane", "pull", "--format=legacy", pushed, file} }},
		{"regctl", func(file string) []string { return []string{"regctl", "image", "export", pushed, file} }},
	} {
		t.Run("docker-archive of "+writer.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "image.tar")
			if writer.name == "docker" {
				w.run(t, "docker", "pull", pushed)
			}
			w.runLine(t, writer.write(file))
			to, digest := to+"-archive-"+writer.name, ""
			if writer.name == "regctl" { // the manifest is in its archive too
				digest = k.digest
			}
			w.wantPushed(t, k, digest, "docker-archive:"+file, to)
			w.wantRuns(t, k, to)
		})
	}
}

// compress pushes what docker has saved with layers that docker before 23.0 cannot unpack.
func (w *site) compress(t *testing.T, k kind, pushed, to string) {
	w.run(t, "docker", "pull", pushed)
	file := filepath.Join(t.TempDir(), "image.tar")
	w.run(t, "docker", "save", "--output", file, pushed)
	for _, compression := range []string{"zstd", "none"} {
		t.Run("compression "+compression, func(t *testing.T) {
			to := to + "-" + compression
			w.wantPulled(t, to, w.result(t, "push", "--compression", compression, "docker-archive:"+file, to))
			w.wantConfig(t, k, to)
			// crane validate takes every layer for one of gzip.
			if got := w.run(t, "sh", "-c", "crane export "+to+" - | tar -xO content"); got != k.says {
				t.Errorf("the layers hold %q, want %q", got, k.says)
			}
		})
	}
}

// writeOCIArchive lets the peers read the archive that ecrkit makes of the image pushed.
func (w *site) writeOCIArchive(t *testing.T, k kind, pushed, to string) {
	t.Run("oci-archive of ecrkit", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "image.tar")
		archive := "oci-archive:" + file + ":" + k.name
		wantDigest(t, "ecrkit says", w.result(t, "pull", pushed, archive), k.digest)
		w.wantPushed(t, k, k.digest, archive, to+"-ecrkit")
		w.run(t, "regctl", "image", "import", to+"-regctl", file)
		wantDigest(t, "regctl imports", w.run(t, "crane", "digest", to+"-regctl"), k.digest)
		if k.name == "oci" || k.name == "index" { // of Docker's media types skopeo finds nothing in an OCI layout
			dir := filepath.Join(t.TempDir(), "dir")
			w.runLine(t, skopeoCopy(archive, "dir:"+dir))
			wantDigest(t, "skopeo copies", verifySkopeoDir(t, dir), k.digest)
			wantDigest(t, "skopeo says", w.run(t, "skopeo", "inspect", "--format", "{{.Digest}}", archive), k.digest)
		}
		if k.single() {
			w.run(t, "crane", "push", file, to+"-crane")
			w.wantConfig(t, k, to+"-crane")
			w.wantLoads(t, k, "docker", "load", "--input", file)
		}
	})
}

// writeDockerArchive lets the peers read the archive that ecrkit makes of the image pushed as docker does.
func (w *site) writeDockerArchive(t *testing.T, k kind, pushed, to string) {
	t.Run("docker-archive of ecrkit", func(t *testing.T) {
		to += "-archive"
		file := filepath.Join(t.TempDir(), "image.tar")
		name := "app:" + k.name
		archive := "docker-archive:" + file + ":" + name
		w.run(t, "ecrkit", "pull", pushed, archive)
		w.run(t, "crane", "validate", "--tarball", file)
		w.wantPushed(t, k, k.digest, archive, to+"-ecrkit") // the manifest is in the archive too
		for peer, push := range map[string][]string{
			"crane":  {"crane", "push", file, to + "-crane"},
			"regctl": {"regctl", "image", "import", to + "-regctl", file},
			"skopeo": {"skopeo", "--insecure-policy", "copy", "--dest-tls-verify=" + tlsVerify(to), archive, "docker://" + to + "-skopeo"},
		} {
			w.runLine(t, push)
			w.wantConfig(t, k, to+"-"+peer)
		}
		wantDigest(t, "regctl imports", w.run(t, "crane", "digest", to+"-regctl"), k.digest)
		w.wantLoads(t, k, "docker", "load", "--input", file)
		if got := w.run(t, "docker", "run", "--rm", "--network", "none", name); got != k.says {
			t.Errorf("%s says %q, want %q", name, got, k.says)
		}
	})
}

// pipeArchives moves the image through stdin and stdout.
func (w *site) pipeArchives(t *testing.T, k kind, pushed, to string) {
	w.run(t, "docker", "pull", pushed)
	for name, save := range map[string]string{
		"docker": "docker save " + pushed,
		"gzip":   "docker save " + pushed + " | gzip -1",
		"regctl": "regctl image export " + pushed,
		"ecrkit": "ecrkit pull " + pushed + " -",
	} {
		t.Run("push - from "+name, func(t *testing.T) {
			w.run(t, "sh", "-c", save+" | ecrkit push - "+to+"-"+name)
			w.run(t, "crane", "validate", "--remote", to+"-"+name)
			w.wantConfig(t, k, to+"-"+name)
		})
	}
	for name, target := range map[string]string{"an OCI archive": "-", "an archive of docker": "docker-archive:-"} {
		t.Run("docker load of "+name, func(t *testing.T) {
			w.wantLoads(t, k, "sh", "-c", "ecrkit pull "+pushed+" "+target+" | docker load")
		})
	}
}

// wantPushed pushes what src names with ecrkit. It has to arrive with the digest that ecrkit says: the one
// given, or if that is "" one with the config of the example.
func (w *site) wantPushed(t *testing.T, k kind, digest, src, to string) {
	t.Helper()
	said := w.result(t, "push", src, to)
	if digest != "" {
		wantDigest(t, "ecrkit says", said, digest)
	} else {
		w.wantConfig(t, k, to)
	}
	w.run(t, "crane", "validate", "--remote", to)
	w.wantPulled(t, to, said)
}

// wantPulled checks that every client pulls all of ref with this digest.
func (w *site) wantPulled(t *testing.T, ref, digest string) {
	t.Helper()
	for _, c := range clients {
		dir := filepath.Join(t.TempDir(), c.name)
		w.runLine(t, c.pull(ref, dir))
		wantDigest(t, c.name+" pulls", c.verify(t, dir), digest)
	}
}

// wantConfig checks that ref has the config of the example.
func (w *site) wantConfig(t *testing.T, k kind, ref string) {
	t.Helper()
	if got := w.manifest(t, ref).Config.Digest; got != k.config {
		t.Errorf("%s has the config %s, want %s", ref, got, k.config)
	}
}

// wantRuns checks that docker pulls and runs the example.
func (w *site) wantRuns(t *testing.T, k kind, ref string) {
	t.Helper()
	w.run(t, "docker", "pull", ref)
	if got := w.run(t, "docker", "run", "--rm", "--network", "none", ref); got != k.says {
		t.Errorf("%s says %q, want %q", ref, got, k.says)
	}
}

// wantLoads checks that the command loads the example into the docker engine, which does not have it before.
func (w *site) wantLoads(t *testing.T, k kind, program string, args ...string) {
	t.Helper()
	w.removeImage(t, k.config)
	w.run(t, program, args...)
	if got := w.run(t, "docker", "run", "--rm", "--network", "none", k.config); got != k.says {
		t.Errorf("the loaded image says %q, want %q", got, k.says)
	}
}

// removeImage takes an image with all its names from the docker engine, if it is there.
func (w *site) removeImage(t *testing.T, id string) {
	t.Helper()
	if _, _, err := w.execute(t, "docker", "image", "inspect", id); err == nil {
		w.run(t, "docker", "image", "rm", "--force", id)
	}
}

// manifest is the manifest that crane gets of ref.
func (w *site) manifest(t *testing.T, ref string) manifest {
	t.Helper()
	var m manifest
	answer := w.run(t, "crane", "manifest", ref)
	if err := json.Unmarshal([]byte(answer), &m); err != nil {
		t.Fatalf("crane manifest %s: %v\n%s", ref, err, answer)
	}
	return m
}
