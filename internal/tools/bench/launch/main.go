//go:build linux

// Launch runs one command for the benchmark and measures it.
//
// The kernel begins a process's peak of resident memory with that of the process that executed it, so a
// program started by the benchmark itself would show the benchmark's peak. This one is smaller than every
// program that is measured.
//
// The command's process ID, and what it used when it has ended, go to file descriptor 3, one JSON object a
// line: {"pid":1} and {"wall":1,"cpu":1,"rss":1,"status":0}; wall and cpu, which is user and system time with
// that of the command's own children, in nanoseconds, rss in bytes, status as a shell has it.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: launch PROGRAM [ARGUMENT…] 3>FILE")
		os.Exit(2)
	}
	if err := run(os.NewFile(3, "results"), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "launch:", err)
		os.Exit(1)
	}
}

func run(results *os.File, command []string) error {
	// The command must not have the results open: their reader waits for the end of all writers.
	syscall.CloseOnExec(int(results.Fd()))
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(results, "{\"pid\":%d}\n", cmd.Process.Pid); err != nil {
		return err
	}
	// A command that fails is a result.
	_ = cmd.Wait()
	wall := time.Since(start)
	state := cmd.ProcessState
	status := state.ExitCode()
	if ended, ok := state.Sys().(syscall.WaitStatus); ok && ended.Signaled() {
		status = 128 + int(ended.Signal())
	}
	var rss int64
	if used, ok := state.SysUsage().(*syscall.Rusage); ok {
		rss = used.Maxrss << 10
	}
	_, err := fmt.Fprintf(results, "{\"wall\":%d,\"cpu\":%d,\"rss\":%d,\"status\":%d}\n",
		wall.Nanoseconds(), (state.UserTime() + state.SystemTime()).Nanoseconds(), rss, status)
	return err
}
