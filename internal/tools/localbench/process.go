//go:build linux

package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A process is a running `ecrkit local`.
type process struct {
	cmd     *exec.Cmd
	url     string
	started time.Duration // until it was ready
}

// start runs the server on the data in dir until it is ready.
func (b *bench) start(ctx context.Context, dir string) (*process, error) {
	args := append([]string{"local", "--quiet", "--addr", "127.0.0.1:0", "--data", dir}, b.serverFlags...)
	cmd := exec.CommandContext(ctx, b.ecrkit, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	p := &process{cmd: cmd, started: time.Since(begin)}
	if err != nil {
		return nil, fmt.Errorf("%s printed no ready line: %w", b.ecrkit, p.stop())
	}
	p.url = strings.TrimSpace(strings.TrimPrefix(line, "ecrkit local: "))
	return p, nil
}

// stop ends the server as Ctrl-C does.
func (p *process) stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	return p.cmd.Wait()
}

// memory is a resident set in bytes.
type memory struct{ now, peak, anonymous int64 }

func (m memory) String() string {
	return fmt.Sprintf("%d MiB (peak %d, of it not the file %d)", m.now>>20, m.peak>>20, m.anonymous>>20)
}

// memory reads how much of the server is resident.
func (p *process) memory() (memory, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return memory{}, err
	}
	field := func(name string) int64 {
		match := regexp.MustCompile(`(?m)^` + name + `:\s*(\d+) kB$`).FindSubmatch(data)
		if match == nil {
			return 0
		}
		kib, _ := strconv.ParseInt(string(match[1]), 10, 64) // only digits
		return kib << 10
	}
	return memory{now: field("VmRSS"), peak: field("VmHWM"), anonymous: field("RssAnon")}, nil
}

// cpu is the time that the server has computed, in ticks of 10 ms.
func (p *process) cpu() (time.Duration, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(data), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat has %d fields", p.cmd.Process.Pid, len(fields))
	}
	var ticks int64
	for _, field := range fields[11:13] { // utime and stime, of proc_pid_stat(5)
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}
