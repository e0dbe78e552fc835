//go:build interop

package interop

import (
	"os"
	"path/filepath"
	"testing"
)

// testDaemon pushes from and pulls to a docker engine, without its own push and pull.
func (s *suite) testDaemon(t *testing.T) {
	w := s.start(t, "--ephemeral").with(map[string]string{"DOCKER_HOST": startDocker(t)})
	w.setupClients(t, w.Addr)
	const repository = "daemon/app"
	w.createRepository(t, repository)
	image := w.Addr + "/" + repository

	t.Run("built", func(t *testing.T) {
		const says = "built by docker"
		buildHelloImage(t, w, "app:1", says)
		built := kind{name: "built", says: says, config: w.run(t, "docker", "image", "inspect", "--format", "{{.Id}}", "app:1")}
		built.digest = w.result(t, "push", "docker-daemon:app:1", image+":1")
		w.wantConfig(t, built, image+":1")
		w.run(t, "crane", "validate", "--remote", image+":1")
		w.wantManifest(t, repository, "1", built.digest)
		w.wantPulled(t, image+":1", built.digest)

		w.removeImage(t, built.config)
		w.wantRuns(t, built, image+":1")
		wantDigest(t, "docker pulls", repoDigest(t, w, image+":1"), built.digest)

		w.removeImage(t, built.config)
		w.run(t, "ecrkit", "pull", image+":1", "docker-daemon:app:back")
		w.wantInDaemon(t, built, "app:back")
		// The same again, also by its ID: nothing is compressed in another way.
		wantDigest(t, "pushed again", w.result(t, "push", "docker-daemon:app:back", image+":again"), built.digest)
		wantDigest(t, "pushed by ID", w.result(t, "push", "docker-daemon:"+built.config, image+":id"), built.digest)
	})

	for _, k := range s.kinds {
		t.Run(k.name, func(t *testing.T) {
			w.run(t, "crane", "push", k.layout, image+":"+k.name)
			if !k.single() { // an engine takes one image of it
				one := w.run(t, "crane", "digest", "--platform", "linux/amd64", image+":"+k.name)
				k.config = w.manifest(t, image+"@"+one).Config.Digest
			}
			w.run(t, "ecrkit", "pull", "--platform", "linux/amd64", image+":"+k.name, "docker-daemon:"+k.name+":1")
			w.wantInDaemon(t, k, k.name+":1")
			w.run(t, "ecrkit", "push", "docker-daemon:"+k.name+":1", image+":"+k.name+"-back")
			w.wantConfig(t, k, image+":"+k.name+"-back")
			w.run(t, "crane", "validate", "--remote", image+":"+k.name+"-back")
		})
	}
}

// wantInDaemon checks that the docker engine has the example under this name, and runs it.
func (w *site) wantInDaemon(t *testing.T, k kind, name string) {
	t.Helper()
	wantDigest(t, name+" is", w.run(t, "docker", "image", "inspect", "--format", "{{.Id}}", name), k.config)
	if got := w.run(t, "docker", "run", "--rm", "--network", "none", name); got != k.says {
		t.Errorf("%s says %q, want %q", name, got, k.says)
	}
}

// buildHelloImage builds an image FROM scratch that prints content.
func buildHelloImage(t *testing.T, w *site, image, content string) {
	t.Helper()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "Dockerfile"), []byte("FROM scratch\nCOPY hello content /\nENTRYPOINT [\"/hello\"]\n"))
	writeFile(t, filepath.Join(dir, "content"), []byte(content+"\n"))
	if err := os.WriteFile(filepath.Join(dir, "hello"), buildHello(t, "amd64"), 0o755); err != nil {
		t.Fatal(err)
	}
	w.with(map[string]string{"DOCKER_BUILDKIT": "0"}).run(t, "docker", "build", "--quiet", "--tag", image, dir)
}
