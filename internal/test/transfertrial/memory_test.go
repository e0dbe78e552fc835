//go:build linux

package transfertrial

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ecrkit/ecrkit/localecr"
)

// What ecrkit may need at most, in bytes, whatever the size of the layers.
const (
	maxMemory         = 64 * mib
	maxMemoryRegistry = 160 * mib // from registry to registry, where parts are buffered
)

func TestMemory(t *testing.T) {
	t.Parallel()
	memory(t, repeat(12*mib, 8)...)
}

// memory measures the peak of the resident memory for layers of these sizes at once:
// from a file, to a file and, if none has more than 1 GiB, between repositories.
func memory(t *testing.T, sizes ...int64) {
	m := makeImage(t, sparse, sizes...)
	s := start(t, localecr.Options{})
	most := []string{"--layers", fmt.Sprint(len(sizes)), "--quiet"}
	dst := filepath.Join(t.TempDir(), "dst")
	s.memory(t, maxMemory, append(most, "push", "oci:"+m.dir, s.image("app", "x"))...)
	s.memory(t, maxMemory, append(most, "pull", s.image("app", "x"), "oci:"+dst)...)
	m.checkLayout(t, dst)
	check(t, os.RemoveAll(dst))
	if sizes[0] > gib {
		return // the server would need another 10 GiB
	}
	s.memory(t, maxMemoryRegistry, append(most, "copy", s.image("app", "x"), s.image("other", "x"))...)
}

func repeat(size int64, n int) []int64 {
	sizes := make([]int64, n)
	for i := range sizes {
		sizes[i] = size
	}
	return sizes
}

// memory runs ecrkit and fails if its memory was above limit at any moment.
func (s *site) memory(t *testing.T, limit int64, args ...string) {
	t.Helper()
	cmd := s.command(args...)
	output := newOutput(cmd)
	begin := time.Now()
	check(t, cmd.Start())
	peak := make(chan int64)
	go func() { peak <- peakMemory(cmd) }()
	err := cmd.Wait()
	most := <-peak
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, output)
	}
	t.Logf("%s: peak RSS %.1f MiB, %.1f s, CPU %.1f s", args[3], float64(most)/mib, time.Since(begin).Seconds(),
		(cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds())
	if most > limit || most == 0 {
		t.Errorf("%s: peak RSS %d KiB, limit %d KiB", args[3], most/kib, limit/kib)
	}
}

// peakMemory follows a process to its end. The kernel's own figure at the end is of
// no use: it counts the memory of the parent before the child's exec.
func peakMemory(cmd *exec.Cmd) (peak int64) {
	exe := ""
	for {
		status, err := os.Open(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
		if err != nil {
			return peak
		}
		if exe != ecrkit {
			exe, _ = os.Readlink(fmt.Sprintf("/proc/%d/exe", cmd.Process.Pid))
		}
		found := false
		lines := bufio.NewScanner(status)
		for lines.Scan() {
			var n int64
			if k, _ := fmt.Sscanf(lines.Text(), "VmHWM: %d kB", &n); k == 1 && exe == ecrkit {
				peak, found = max(peak, n*kib), true
			}
			if strings.HasPrefix(lines.Text(), "State:\tZ") {
				found = false
				break
			}
		}
		status.Close()
		if !found && peak > 0 {
			return peak
		}
		time.Sleep(5 * time.Millisecond)
	}
}
