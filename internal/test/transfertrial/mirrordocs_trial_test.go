//go:build trial && linux

package transfertrial

import (
	"compress/gzip"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ecrkit/ecrkit/internal/test/layers"
	"github.com/ecrkit/ecrkit/localecr"
)

// makeVersion makes an image of a version: of twelve files in its layer, one differs in the next.
func makeVersion(t *testing.T, version int) made {
	t.Helper()
	plain, err := layers.Tar(version, 4000)
	check(t, err)
	data, err := layers.Compress(plain, func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriterLevel(w, gzip.BestSpeed) })
	check(t, err)
	return makeImage(t, func(byte) source {
		return func(_ int64, w *os.File) error {
			_, err := w.Write(data)
			return err
		}
	}, int64(len(data)))
}

// TestTrialMirrorPage runs the commands of docs/mirror.md across an air gap, from top to bottom.
func TestTrialMirrorPage(t *testing.T) {
	t.Parallel()
	s := start(t, localecr.Options{})
	for version, tag := range []string{"1.3", "1.4", "1.5"} {
		m := makeVersion(t, version)
		s.run("push", "-q", "oci:"+m.dir, s.image("app", tag))
	}
	text, err := os.ReadFile(filepath.FromSlash("../../../docs/mirror.md"))
	check(t, err)
	_, section, _ := strings.Cut(string(text), "\n## Across an air gap\n")
	section, _, _ = strings.Cut(section, "\n## ")
	blocks := regexp.MustCompile("(?ms)^```sh\n(.*?)^```").FindAllStringSubmatch(section, -1)
	if len(blocks) < 6 {
		t.Fatalf("%d blocks of commands", len(blocks))
	}
	check(t, os.WriteFile(filepath.Join(s.home, "mirror.yaml"), []byte("images:\n  - from: "+s.registry+"/app\n    name: web\n    tags: {match: \"1.3\"}\n"), 0o666))
	for _, name := range []string{"plain.key", "plain.pub"} {
		key, err := os.ReadFile(filepath.FromSlash("../../minisign/testdata/" + name))
		check(t, err)
		check(t, os.WriteFile(filepath.Join(s.home, strings.Replace(name, "plain", "minisign", 1)), key, 0o600))
	}
	var script strings.Builder
	script.WriteString("ecrkit public-key alias/ecrkit-p256 > release.pub\n")
	for _, block := range blocks {
		if strings.Contains(block[1], "--have") { // the stick has been emptied, and there is a new version
			version := "1.[34]"
			if strings.Contains(block[1], "--delta") {
				version = "*"
			}
			// The first set is kept, for the import of several.
			script.WriteString("test -e january && rm -r usb || mv usb january\nsed -i 's/match: .*/match: \"" + version + "\"}/' mirror.yaml\n")
		}
		script.WriteString(block[1])
	}
	commands := strings.NewReplacer("ssh gate ", "", "alias/release", "alias/ecrkit-p256", "january/ week1/ week2/", "january/ usb/", "HOST/web", s.registry+"/app", "HOST/db", s.registry+"/app",
		"HOST/PREFIX", s.registry+"/plant").Replace(script.String())
	sh := exec.Command("sh", "-eux", "-c", commands)
	sh.Dir = s.home
	sh.Env = append(s.command().Env, "PATH="+filepath.Dir(ecrkit)+":"+os.Getenv("PATH"))
	out, err := sh.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"usb/: ok: ", "to images.tar", "to stdout", "parity.001", "signed usb/set.json", "encoder go-1", "1 delta instead of a whole layer"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the output has no %q:\n%s", want, out)
		}
	}
	s.run("pull", "-q", s.registry+"/plant/web:1.5", "oci:"+filepath.Join(t.TempDir(), "dst"))
}
