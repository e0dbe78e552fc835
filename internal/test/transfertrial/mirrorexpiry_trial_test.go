//go:build trial && linux

package transfertrial

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ecrkit/ecrkit/localecr"
)

// TestTrialMirrorOverNight has thirteen hours pass in the middle of each step: tokens and pre-signed URLs expire.
func TestTrialMirrorOverNight(t *testing.T) {
	t.Parallel()
	s := start(t, localecr.Options{})
	m := makeImage(t, random, 3*mib, mib)
	s.run("push", "-q", "oci:"+m.dir, s.image("app", "x"))
	s.run("push", "-q", "oci:"+m.dir, s.image("other", "y"))
	dir := t.TempDir()
	night := func(after int64, in io.Reader, args ...string) {
		t.Helper()
		passed := make(chan struct{})
		s.meter.after(after, func() {
			s.server.Clock().Advance(13 * time.Hour)
			close(passed)
		})
		cmd := s.command(args...)
		cmd.Stdin = in
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("ecrkit %v: %v\n%s", args, err, out)
		}
		s.meter.wait()
		select {
		case <-passed:
		default:
			t.Errorf("ecrkit %v: no night has passed", args)
		}
	}
	set, file := filepath.Join(dir, "set"), filepath.Join(dir, "set.tar")
	night(2*mib, nil, "mirror", "export", s.image("app", "x"), s.image("other", "y"), "--to", set)
	night(2*mib, nil, "mirror", "export", s.image("app", "x"), s.image("other", "y"), "--to", file)
	cmd := s.command("mirror", "export", s.image("app", "x"), s.image("other", "y"), "--to", "-")
	s.meter.after(2*mib, func() { s.server.Clock().Advance(13 * time.Hour) })
	stream, err := cmd.Output()
	check(t, err)
	if written, err := os.ReadFile(file); err != nil || !bytes.Equal(stream, written) {
		t.Errorf("the stream has %d bytes, and the set in a file %d: %v", len(stream), len(written), err)
	}
	s.run("mirror", "verify", set)
	for name, in := range map[string]string{"directory": set, "file": file, "stream": "-"} {
		to := s.registry + "/" + name
		var stdin io.Reader
		if in == "-" {
			stdin = bytes.NewReader(stream)
		}
		night(2*mib, stdin, "mirror", "import", in, to)
		s.run("pull", "-q", to+"/app:x", "oci:"+filepath.Join(dir, name)+":x")
		s.run("mirror", "import", file, to)
	}
	// From registry to registry.
	config := filepath.Join(dir, "mirror.yaml")
	check(t, os.WriteFile(config, fmt.Appendf(nil, "destinations: [%q]\nimages: [{from: %q}, {from: %q}]\n", s.registry+"/direct", s.registry+"/app", s.registry+"/other"), 0o600))
	night(2*mib, nil, "mirror", "apply", config)
	s.run("pull", "-q", s.registry+"/direct/app:x", "oci:"+filepath.Join(dir, "direct")+":x")
	s.nothingLeft()
}
