//go:build linux

package transfertrial

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ecrkit/ecrkit/localecr"
)

// TestInterrupt interrupts a push and a pull in the middle of a layer: they end at
// once with one line, and the next run goes on.
func TestInterrupt(t *testing.T) {
	const size = 64 * mib
	m := makeImage(t, random, size)
	s := start(t, localecr.Options{})
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			repository := map[syscall.Signal]string{syscall.SIGINT: "app", syscall.SIGTERM: "other"}[signal]
			push := []string{"push", "oci:" + m.dir, s.image(repository, "x")}
			before, taken := s.meter.up.Load(), s.taken()
			s.interrupt(t, signal, 48*mib, push...)
			s.run(push...)
			if again := (s.meter.up.Load()-before)/4*3 - size; again > connections*partSize {
				t.Errorf("%d bytes were sent again", again)
			}
			if got := s.taken() - taken; got != size {
				t.Errorf("the server took %d bytes of parts of a layer of %d", got, size)
			}
			s.nothingLeft()

			dst := filepath.Join(t.TempDir(), "dst")
			pull := []string{"pull", s.image(repository, "x"), "oci:" + dst}
			before = s.meter.down.Load()
			s.interrupt(t, signal, 40*mib, pull...)
			s.run(pull...)
			if again := s.meter.down.Load() - before - size; again > connections*rangeSize*3/4 {
				t.Errorf("%d bytes came again", again)
			}
			s.nothingLeft(dst)
			m.checkLayout(t, dst)
		})
	}
}

// interrupt runs ecrkit and sends it a signal when the server has moved n bytes.
func (s *site) interrupt(t *testing.T, signal syscall.Signal, n int64, args ...string) {
	t.Helper()
	cmd := s.command(args...)
	output := newOutput(cmd)
	check(t, cmd.Start())
	s.meter.after(n, func() { _ = cmd.Process.Signal(signal) }) // fails if it has ended
	err := cmd.Wait()
	s.meter.wait()
	if code := cmd.ProcessState.ExitCode(); code != 1 || strings.TrimSpace(output.String()) != "ecrkit: interrupted" {
		t.Errorf("%v: exit code %d, %v: %q", args, code, err, output)
	}
}
