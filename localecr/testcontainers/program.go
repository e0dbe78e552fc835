package testcontainers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"sync"
	"time"
)

// stopTime is how long the program may take to end before it is killed.
const stopTime = 10 * time.Second

// A Program is a local ECR that is a process of this machine.
type Program struct {
	Server
	terminate func() error
}

// Terminate ends the program and removes its data. Further calls return the result of the first.
func (p *Program) Terminate(context.Context) error { return p.terminate() }

// RunProgram starts `ecrkit local` without a container and waits until it is ready: for machines without an engine. path
// is the program, found as exec.LookPath does; args are further arguments, such as "--quotas", "default". Its data is
// temporary, and it serves on a free port of the loopback interface. It must be ready in a minute, or sooner if ctx has a
// deadline. The caller terminates it.
func RunProgram(ctx context.Context, path string, args ...string) (*Program, error) {
	starting, started := context.WithTimeoutCause(ctx, startTime, fmt.Errorf("it was not ready after %s", startTime))
	defer started()
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	cmd := exec.CommandContext(running, path, append([]string{"local", "--addr", "127.0.0.1:0", "--ephemeral", "--output", "json"}, args...)...)
	cmd.Cancel = func() error {
		if err := cmd.Process.Signal(os.Interrupt); err == nil {
			return nil
		}
		return cmd.Process.Kill() // Windows has no such signal
	}
	cmd.WaitDelay = stopTime
	ready, out, err := os.Pipe()
	if err != nil {
		stop()
		return nil, fmt.Errorf("run the local ECR: %w", err)
	}
	defer ready.Close()
	var stderr lastBytes
	cmd.Stdout, cmd.Stderr = out, &stderr
	err = errors.Join(cmd.Start(), out.Close())
	if err != nil {
		stop()
		return nil, fmt.Errorf("run the local ECR: %w", err)
	}
	terminate := sync.OnceValue(func() error {
		stop()
		err := cmd.Wait()
		if err == nil || errors.Is(err, context.Canceled) {
			return nil
		}
		return fmt.Errorf("the local ECR: %w\n%s", err, &stderr)
	})
	unblock := context.AfterFunc(starting, func() { _ = terminate() }) // the caller has the context's error
	var state struct{ Registry string }
	err = json.NewDecoder(io.LimitReader(ready, 64<<10)).Decode(&state)
	if !unblock() {
		err = context.Cause(starting)
	}
	if err == nil && state.Registry == "" {
		err = errors.New("it did not print its address")
	}
	if err != nil {
		return nil, fmt.Errorf("run the local ECR: %w", errors.Join(err, terminate()))
	}
	return &Program{NewServer(state.Registry), terminate}, nil
}

// lastBytes keeps the end of what is written to it.
type lastBytes struct {
	mu   sync.Mutex
	kept []byte
}

// keptBytes is how much of its messages the program's error quotes at most.
const keptBytes = 16 << 10

func (l *lastBytes) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kept = append(l.kept, p...)
	if more := len(l.kept) - keptBytes; more > 0 {
		l.kept = slices.Delete(l.kept, 0, more)
	}
	return len(p), nil
}

func (l *lastBytes) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.kept)
}
