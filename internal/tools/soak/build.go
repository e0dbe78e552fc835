//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/ecrkit/ecrkit/internal/test/stage"
)

// build builds the programs as they are released into dir.
func build(ctx context.Context, dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	return stage.Commands(ctx, dir)
}

// clockVariable sets the clock of the programs in the directory "clock": SECONDS ahead of the machine's, or
// SECONDS@MILLISECONDS after the start of the process. Monotonic time, and with it timers, stays as it is.
const clockVariable = "SOAK_CLOCK"

// clockSource is what package time gets for it. Only Now differs.
const clockSource = `
var soakSeconds, soakAfter, soakStart = soakClock()

func soakClock() (seconds, after, start int64) {
	text, ok := syscall.Getenv("` + clockVariable + `")
	if !ok {
		return 0, 0, 0
	}
	number, sign := int64(0), int64(1)
	for _, c := range text {
		switch {
		case c == '-':
			sign = -1
		case c == '@':
			seconds, number, sign = sign*number, 0, 1
			after = 1
		case '0' <= c && c <= '9':
			number = number*10 + int64(c-'0')
		}
	}
	if after == 0 {
		return sign * number, 0, runtimeNano()
	}
	return seconds, number * 1000000, runtimeNano()
}

// Now returns the current local time.
func Now() Time {
	t := soakNow()
	if soakSeconds != 0 && runtimeNano()-soakStart >= soakAfter {
		t.addSec(soakSeconds)
	}
	return t
}
`

// clockPrograms returns the directory of the programs whose clock can be set, and builds them if they are not there. That
// takes minutes, since nearly every package needs package time.
func (s *soak) clockPrograms() (string, error) {
	dir := filepath.Join(s.bin, "clock")
	if _, err := os.Stat(filepath.Join(dir, "ecrkit")); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return "", err
	}
	return dir, buildClock(s.ctx, dir)
}

// buildClock builds the programs with another package time. The static programs of Go read the clock without libc,
// so that nothing that is loaded with them could set it.
func buildClock(ctx context.Context, dir string) error {
	root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return fmt.Errorf("go env: %w", err)
	}
	path := filepath.Join(strings.TrimSpace(string(root)), "src", "time", "time.go")
	source, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	changed := strings.Replace(string(source), "\nfunc Now() Time {", "\nfunc soakNow() Time {", 1)
	changed = strings.Replace(changed, "import (", "import (\n\t\"syscall\"", 1)
	if changed == string(source) || !strings.Contains(changed, "soakNow") {
		return fmt.Errorf("%s: no func Now to replace", path)
	}
	tmp, err := os.MkdirTemp("", "ecrkit-clock-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	replaced, overlay := filepath.Join(tmp, "time.go"), filepath.Join(tmp, "overlay.json")
	if err := os.WriteFile(replaced, []byte(changed+clockSource), 0o666); err != nil {
		return err
	}
	if err := os.WriteFile(overlay, fmt.Appendf(nil, `{"Replace": {%q: %q}}`, path, replaced), 0o666); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-overlay", overlay, "-o", dir+"/", "github.com/ecrkit/ecrkit/cmd/...")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build with another clock: %w\n%s", err, out)
	}
	return nil
}
