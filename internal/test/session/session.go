//go:build unix

// Package session runs the commands of a test script in one process. With the race
// detector a command needs longer to start than for what most scripts have it do.
//
// The script's PATH begins with a directory that holds a small program of the command's
// name, package client. It passes its arguments, environment, working directory and open
// files to the process of the session, which runs the command as if it had been started
// so, and returns its exit code. Where the session cannot do that the small program
// replaces itself with the command: while the session runs another one, and when the
// variable [OwnProcess] is set, for commands that are to be killed.
package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/ecrkit/ecrkit/internal/test/session/protocol"
)

// OwnProcess is the variable that has each command run in a process of its own.
const OwnProcess = protocol.OwnProcess

// Run is a command: arguments, open files and environment as of a process, and the
// result is its exit code.
type Run func(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, lookup func(string) (string, bool)) int

// Start starts the process of a session: the program host with its arguments, which is
// to call [Serve]. It returns the variable that the small program needs, and what ends
// the session, which fails if the process did not end well.
func Start(program, host string, args ...string) (variables []string, end func() error, err error) {
	dir, err := os.MkdirTemp("", "session")
	if err != nil {
		return nil, nil, err
	}
	socket := filepath.Join(dir, "socket")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	file, err := listener.File()
	if err == nil {
		listener.SetUnlinkOnClose(false)
		err = listener.Close()
	}
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	defer file.Close()
	read, life, err := os.Pipe()
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	defer read.Close()
	cmd := exec.Command(host, args...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	cmd.ExtraFiles = []*os.File{file, read}
	// A race ends the session, so that the command in which it was found fails. Its heap is small,
	// and with the race detector collecting it is a tenth of the work.
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0 halt_on_error=1", "GOGC=400")
	if err := cmd.Start(); err != nil {
		return nil, nil, errors.Join(err, life.Close(), os.RemoveAll(dir))
	}
	end = func() error { return errors.Join(life.Close(), cmd.Wait(), os.RemoveAll(dir)) }
	return []string{protocol.Socket + "=" + socket, protocol.Program + "=" + program}, end, nil
}

// Serve is the process of a session. It returns when the process that started it ends
// the session.
func Serve(run Run) error {
	listener, err := net.FileListener(os.NewFile(3, "socket"))
	if err != nil {
		return err
	}
	life := os.NewFile(4, "life")
	go func() {
		_, _ = io.Copy(io.Discard, life)
		_ = listener.Close()
	}()
	var busy sync.Mutex
	var serving sync.WaitGroup
	defer serving.Wait()
	for {
		conn, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		if !busy.TryLock() {
			_ = conn.Close() // the client sees that it is to run the command itself
			continue
		}
		serving.Go(func() {
			defer busy.Unlock()
			defer conn.Close()
			if err := serve(conn.(*net.UnixConn), run); err != nil {
				fmt.Fprintln(os.Stderr, "session:", err)
			}
		})
	}
}

// serve runs one command.
func serve(conn *net.UnixConn, run Run) error {
	command, files, err := receive(conn)
	if err != nil {
		return err
	}
	restore, err := replaceStandardFiles(files)
	if err != nil {
		return err
	}
	defer restore()
	if err := os.Chdir(command.Dir); err != nil {
		return err
	}
	os.Clearenv()
	for _, variable := range command.Env {
		if err := os.Setenv(variable.Name, variable.Value); err != nil {
			return err
		}
	}
	if _, err := conn.Write([]byte{protocol.Accepted}); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		_, _ = conn.Read(make([]byte, 1)) // ends when the client does
		cancel()
	}()
	code := run(ctx, command.Args, os.Stdin, os.Stdout, os.Stderr, os.LookupEnv)
	_, err = conn.Write([]byte(strconv.Itoa(code)))
	return err
}

// replaceStandardFiles puts files in the place of this process's standard files, and
// closes them. What restore returns puts those back.
func replaceStandardFiles(files []*os.File) (restore func(), err error) {
	var saved []int
	restore = func() {
		for i, fd := range saved {
			_ = unix.Dup2(fd, i) // both are open
			_ = unix.Close(fd)
		}
	}
	for i, f := range files {
		fd, err := unix.FcntlInt(uintptr(i), unix.F_DUPFD_CLOEXEC, 3)
		if err == nil {
			saved = append(saved, fd)
			err = unix.Dup2(int(f.Fd()), i)
		}
		if err = errors.Join(err, f.Close()); err != nil {
			restore()
			return nil, err
		}
	}
	return restore, nil
}

// receive reads a command and the files that belong to it.
func receive(conn *net.UnixConn) (protocol.Command, []*os.File, error) {
	var command protocol.Command
	size, rights := make([]byte, protocol.SizeBytes), make([]byte, 1<<10)
	_, n, _, _, err := conn.ReadMsgUnix(size, rights)
	if err != nil {
		return command, nil, err
	}
	messages, err := syscall.ParseSocketControlMessage(rights[:n])
	if err != nil {
		return command, nil, err
	}
	var files []*os.File
	for _, m := range messages {
		numbers, err := syscall.ParseUnixRights(&m)
		if err != nil {
			return command, nil, err
		}
		for _, fd := range numbers {
			syscall.CloseOnExec(fd)
			files = append(files, os.NewFile(uintptr(fd), "standard file "+strconv.Itoa(len(files))))
		}
	}
	if len(files) != 3 {
		return command, nil, fmt.Errorf("%d files arrived, want 3", len(files))
	}
	text := make([]byte, protocol.Size(size))
	if _, err := io.ReadFull(conn, text); err != nil {
		return command, nil, err
	}
	return command, files, json.Unmarshal(text, &command)
}
