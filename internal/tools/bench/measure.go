//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// commandTime bounds every command that is measured.
const commandTime = 5 * time.Minute

// usage is what a command has used.
type usage struct {
	Wall   time.Duration `json:"wall"`
	CPU    time.Duration `json:"cpu"` // user and system, children included
	RSS    int64         `json:"rss"` // the peak, in bytes
	Status int           `json:"status"`
}

// A launcher starts commands by the program launch.
type launcher struct {
	path string
	env  []string
	dir  string
}

// A running is a command that has been started.
type running struct {
	pid     int // of the command, not of the launcher
	cmd     *exec.Cmd
	cancel  context.CancelFunc
	results *bufio.Reader
	file    *os.File
	output  bytes.Buffer
}

// start starts a command.
func (l launcher) start(ctx context.Context, argv []string) (*running, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	r := &running{cancel: cancel, results: bufio.NewReader(read), file: read}
	r.cmd = exec.CommandContext(ctx, l.path, argv...)
	r.cmd.Env, r.cmd.Dir, r.cmd.ExtraFiles = l.env, l.dir, []*os.File{write}
	r.cmd.Stdout, r.cmd.Stderr = &r.output, &r.output
	r.cmd.WaitDelay = time.Second
	err = r.cmd.Start()
	write.Close()
	if err == nil {
		var started struct{ PID int }
		if err = r.read(&started); err == nil {
			r.pid = started.PID
			return r, nil
		}
		_ = r.cmd.Wait()
		err = fmt.Errorf("%s: %w: %s", argv[0], err, firstError(r.output.String()))
	}
	cancel()
	read.Close()
	return nil, err
}

func (r *running) read(out any) error {
	line, err := r.results.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("results of launch: %w", err)
	}
	return json.Unmarshal(line, out)
}

// wait waits for the end. A command that fails returns a *commandError.
func (r *running) wait() (usage, error) {
	defer r.cancel()
	defer r.file.Close()
	var used usage
	readErr := r.read(&used)
	if err := r.cmd.Wait(); err != nil {
		return used, fmt.Errorf("ended after %s", commandTime)
	}
	if readErr != nil {
		return used, readErr
	}
	if used.Status != 0 {
		return used, &commandError{used.Status, firstError(r.output.String())}
	}
	return used, nil
}

// commandError is of a command that has failed.
type commandError struct {
	status int
	text   string // its first error line
}

func (e *commandError) Error() string { return fmt.Sprintf("exit status %d: %s", e.status, e.text) }

// run is start and wait.
func (l launcher) run(ctx context.Context, argv []string) (usage, error) {
	r, err := l.start(ctx, argv)
	if err != nil {
		return usage{}, err
	}
	return r.wait()
}

// killHalfway runs a command and kills it with SIGKILL when it has written so many bytes, to files and to
// connections. It returns how many there were at the end.
func (l launcher) killHalfway(ctx context.Context, argv []string, enough int64) (written int64, err error) {
	errEnded := errors.New("it had ended before it could be killed")
	r, err := l.start(ctx, argv)
	if err != nil {
		return 0, err
	}
	for written < enough {
		// A process that has ended has nothing to read any more, and start bounds its time.
		if written, err = bytesWritten(r.pid); err != nil {
			if _, failed := r.wait(); failed != nil {
				return 0, failed
			}
			return 0, errEnded
		}
		time.Sleep(time.Millisecond)
	}
	killed := syscall.Kill(r.pid, syscall.SIGKILL)
	used, err := r.wait()
	if killed != nil || used.Status != 128+int(syscall.SIGKILL) {
		return 0, errors.Join(errEnded, err)
	}
	return written, nil
}

// bytesWritten is how many bytes a process has written to files and connections.
func bytesWritten(pid int) (int64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
	if err != nil {
		return 0, err
	}
	var read, written int64
	if _, err := fmt.Sscanf(string(data), "rchar: %d\nwchar: %d\n", &read, &written); err != nil {
		return 0, fmt.Errorf("/proc/%d/io: %w", pid, err)
	}
	return written, nil
}

// cpuTime is the user and system time of a process that runs.
func cpuTime(pid int) (time.Duration, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The second field is the program's name in parentheses and may contain anything; 11 fields after it
	// come utime and stime, in hundredths of a second on every Linux.
	_, rest, _ := strings.Cut(string(data), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat: %q", pid, data)
	}
	var user, system int64
	if _, err := fmt.Sscan(fields[11], &user); err != nil {
		return 0, err
	}
	if _, err := fmt.Sscan(fields[12], &system); err != nil {
		return 0, err
	}
	return time.Duration(user+system) * 10 * time.Millisecond, nil
}

var errorLine = regexp.MustCompile(`(?i)error|fatal|fail|denied|refused|unknown|cannot|invalid|not found|no command`)

// firstError is the first line that looks like an error, else the last one.
func firstError(output string) string {
	last := ""
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		if errorLine.MatchString(line) {
			return line
		}
		if line != "" {
			last = line
		}
	}
	return last
}
