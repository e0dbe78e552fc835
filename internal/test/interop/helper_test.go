//go:build interop

package interop

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// testHelper is the credential helper under docker: login, logout, a private base image, and what the user
// sees if it has no credentials.
func (s *suite) testHelper(t *testing.T) {
	w := s.start(t, "--ephemeral").with(map[string]string{"DOCKER_HOST": startDocker(t)})
	const repository = "helper/base"
	w.createRepository(t, repository)
	base := w.Addr + "/" + repository + ":1"
	s.buildImage(t, w, base, "base")
	w.run(t, "docker", "push", base)

	t.Run("login and logout", func(t *testing.T) {
		token := w.run(t, "ecrkit", "auth", "token", w.Addr)
		w.run(t, "sh", "-c", "echo '"+token+"' | docker login --username AWS --password-stdin "+w.Addr)
		config, err := os.ReadFile(filepath.Join(w.environ["DOCKER_CONFIG"], "config.json"))
		if err != nil || strings.Contains(string(config), token[:40]) {
			t.Errorf("docker's config holds the token: %v", err)
		}
		if got, want := w.run(t, "docker-credential-ecrkit", "list"), `{"`+w.Addr+`":"AWS"}`; got != want {
			t.Errorf("list gives %s, want %s", got, want)
		}
		w.run(t, "docker", "logout", w.Addr)
		if got := w.run(t, "docker-credential-ecrkit", "list"); got != "{}" {
			t.Errorf("after logout list gives %s", got)
		}
	})

	t.Run("build from a private base", func(t *testing.T) {
		w.run(t, "docker", "rmi", "-f", base)
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte("FROM "+base+"\nLABEL on=top\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		w.run(t, "docker", "build", "-t", "built", dir)
	})

	t.Run("a wrong profile", func(t *testing.T) {
		wrong := w.with(map[string]string{"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_PROFILE": "no-such-profile"})
		wrong.refused(t, "no-such-profile; check AWS_PROFILE", "docker", "pull", base)
		wrong.refused(t, "no-such-profile; check AWS_PROFILE", "docker", "push", base)
	})
}

// testCredsStore lets the clients that know credsStore take the helper for all hosts.
func (s *suite) testCredsStore(t *testing.T) {
	w := s.start(t, "--ephemeral")
	w.writeDockerConfig(t, map[string]any{"credsStore": "ecrkit"})
	const ours = "credsstore/pushed"
	w.createRepository(t, ours)
	image := w.Addr + "/" + ours + ":1"
	w.run(t, "ecrkit", "push", "oci:"+s.kind("index").layout, image)
	// regctl asks only for the hosts that are listed.
	w.run(t, "ecrkit", "auth", "token", w.Addr)
	w.setupClients(t, w.Addr)
	for _, c := range clients {
		if c.name == "skopeo" {
			continue // it knows credHelpers only, with which testClients lets it ask
		}
		t.Run(c.name, func(t *testing.T) {
			w.runLine(t, c.pull(image, filepath.Join(t.TempDir(), "layout")))
		})
	}
}
