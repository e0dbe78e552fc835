package dockerconfig

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/ecrkit/ecrkit/internal/startup"
)

func TestPaths(t *testing.T) {
	home, other := t.TempDir(), t.TempDir()
	docker, podman := filepath.Join(home, ".docker", "config.json"), filepath.Join(home, ".config", "containers", "auth.json")
	atHome := startup.HomeVariable + "=" + home
	for name, test := range map[string]struct {
		variables      []string
		docker, podman string // "" is ErrNoHome
	}{
		"home":          {[]string{atHome}, docker, podman},
		"no home":       {nil, "", ""},
		"empty home":    {[]string{startup.HomeVariable + "="}, "", ""},
		"relative home": {[]string{startup.HomeVariable + "=."}, "", ""},
		"named":         {[]string{"DOCKER_CONFIG=" + other, "REGISTRY_AUTH_FILE=" + other}, filepath.Join(other, "config.json"), other},
		"relative run":  {[]string{atHome, "XDG_RUNTIME_DIR=run"}, docker, podman},
	} {
		env := startup.EnvironmentOf(test.variables)
		if path, err := DockerPath(env); path != test.docker || (path == "") != errors.Is(err, ErrNoHome) {
			t.Errorf("%s: docker %q, %v", name, path, err)
		}
		if path, err := PodmanPath(env); path != test.podman || (path == "") != errors.Is(err, ErrNoHome) {
			t.Errorf("%s: podman %q, %v", name, path, err)
		}
	}
	if runtime.GOOS == "linux" {
		path, err := PodmanPath(startup.EnvironmentOf([]string{"XDG_RUNTIME_DIR=" + other}))
		if want := filepath.Join(other, "containers", "auth.json"); path != want || err != nil {
			t.Errorf("podman in XDG_RUNTIME_DIR: %q, %v", path, err)
		}
	}
}

// A link to a file that does not exist yet stays a link, as with docker.
func TestSaveThroughDanglingLink(t *testing.T) {
	for name, link := range map[string]func(t *testing.T, dir, target string) string{
		"absolute": func(t *testing.T, dir, target string) string { return target },
		"relative": func(t *testing.T, dir, target string) string { return filepath.Join("..", "target", "config.json") },
		"over another link": func(t *testing.T, dir, target string) string {
			second := filepath.Join(dir, "second")
			if err := os.Symlink(target, second); err != nil {
				t.Fatal(err)
			}
			return "second"
		},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			dir, target := filepath.Join(root, "docker"), filepath.Join(root, "target", "config.json")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "config.json")
			if err := os.Symlink(link(t, dir, target), path); err != nil {
				t.Fatal(err)
			}
			f, err := Load(path)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = f.SetHelper(host, "ecrkit")
			if _, err := f.Save(); err != nil {
				t.Fatal(err)
			}
			info, err := os.Lstat(path)
			if err != nil || info.Mode()&os.ModeSymlink == 0 {
				t.Errorf("the link was replaced: %v", err)
			}
			if f, err := Load(target); err != nil || f.original == nil {
				t.Errorf("nothing was written to the link's target: %v", err)
			}
		})
	}
	loop := filepath.Join(t.TempDir(), "loop")
	if err := os.Symlink(loop, loop); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(loop); err == nil {
		t.Error("a link to itself: no error")
	}
}
