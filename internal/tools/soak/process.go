//go:build linux

package main

import (
	"bytes"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// deadline is how long a run may take: throttled calls are tried for ten minutes, and what never answers for up to ten
// as well. It leaves some room for a busy machine.
const deadline = 15 * time.Minute

// outcome is how a run of a program ended.
type outcome struct {
	args    []string
	code    int // -1 for a signal
	killed  bool
	hung    bool
	stdout  string
	stderr  string
	seconds float64
}

func (o outcome) String() string {
	var b strings.Builder
	b.WriteString(strings.Join(o.args, " "))
	b.WriteString("\n")
	b.WriteString(o.stderr)
	return b.String()
}

// process is a run of a program that goes on.
type process struct {
	cmd            *exec.Cmd
	stdout, stderr bytes.Buffer
	began          time.Time
	done           chan struct{}
}

// start starts a program of the site. extra is added to its environment.
func (st *site) start(extra []string, program, stdin string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(filepath.Join(st.bin, program), args...), done: make(chan struct{})}
	p.cmd.Dir, p.cmd.Env, p.cmd.Stdin = st.dir, st.env(extra...), strings.NewReader(stdin)
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	p.began = time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait() // the state says how it ended
		close(p.done)
	}()
	return p, nil
}

// kill kills the process, unless it has ended.
func (p *process) kill() { _ = p.cmd.Process.Kill() }

// wait waits for the end.
func (p *process) wait(st *site) outcome {
	o := outcome{args: p.cmd.Args}
	select {
	case <-p.done:
	case <-st.soak.ctx.Done():
		p.kill()
		<-p.done
	case <-time.After(deadline):
		o.hung = true
		p.kill()
		<-p.done
	}
	o.seconds = time.Since(p.began).Seconds()
	o.code = p.cmd.ProcessState.ExitCode()
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok {
		o.killed = status.Signaled() && status.Signal() == syscall.SIGKILL
	}
	o.stdout, o.stderr = p.stdout.String(), p.stderr.String()
	return o
}

// run runs ecrkit to its end.
func (st *site) run(args ...string) (outcome, error) { return st.runWith(nil, args...) }

func (st *site) runWith(extra []string, args ...string) (outcome, error) {
	p, err := st.start(extra, "ecrkit", "", args...)
	if err != nil {
		return outcome{}, err
	}
	return p.wait(st), nil
}

// must runs ecrkit, which has to succeed.
func (st *site) must(args ...string) error {
	o, err := st.run(args...)
	if err == nil && o.code != 0 {
		err = errors.New(o.String())
	}
	return err
}

// killedAfter runs ecrkit and kills it after a time. Its outcome is not that of a killed process if it had ended
// before.
func (st *site) killedAfter(d time.Duration, args ...string) (outcome, error) {
	p, err := st.start(nil, "ecrkit", "", args...)
	if err != nil {
		return outcome{}, err
	}
	timer := time.AfterFunc(d, p.kill)
	defer timer.Stop()
	return p.wait(st), nil
}
