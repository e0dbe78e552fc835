//go:build linux

package transfertrial

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ecrkit/ecrkit/localecr"
)

func TestInterrupt(t *testing.T) {
	t.Parallel()
	interrupt(t, 32*mib, 2, syscall.SIGINT, syscall.SIGTERM)
}

// interrupt interrupts a push by one signal and a pull by another in the middle of a
// layer: both end at once with one line, and the next run resumes them.
func interrupt(t *testing.T, size, connections int64, pushed, pulled syscall.Signal) {
	m := makeImage(t, random, size)
	s := start(t, localecr.Options{})
	push := append([]string{"push", "--upload", "native", "oci:" + m.dir, s.image("app", "x"), "--connections"}, fmt.Sprint(connections))
	s.interrupt(t, pushed, size*3/4, push...)
	s.run(push...)
	if again := s.meter.up.Load()/4*3 - size; again > connections*partSize {
		t.Errorf("%d bytes were sent again", again)
	}
	if got := s.taken(); got != size {
		t.Errorf("the server took %d bytes of parts of a layer of %d", got, size)
	}
	s.nothingLeft()

	dst := filepath.Join(t.TempDir(), "dst")
	pull := append([]string{"pull", s.image("app", "x"), "oci:" + dst, "--connections"}, fmt.Sprint(connections))
	before := s.meter.down.Load()
	s.interrupt(t, pulled, size*5/8, pull...)
	s.run(pull...)
	if again := s.meter.down.Load() - before - size; again > connections*rangeSize {
		t.Errorf("%d bytes came again", again)
	}
	s.nothingLeft(dst)
	m.checkLayout(t, dst)
}

// interrupt runs ecrkit and sends it a signal when the server has moved n bytes.
func (s *site) interrupt(t *testing.T, signal syscall.Signal, n int64, args ...string) {
	t.Helper()
	cmd := s.command(args...)
	output := newOutput(cmd)
	s.startAfter(cmd, n, func() { _ = cmd.Process.Signal(signal) }) // fails if it has ended
	err := cmd.Wait()
	s.meter.wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 || strings.TrimSpace(output.String()) != "ecrkit: interrupted; run the command again to resume" {
		t.Errorf("%v: exit code %d, %v: %q", args, code, err, output)
	}
}
