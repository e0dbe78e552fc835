//go:build unix

// Client stands for the command of a session in a test script; see package session.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/ecrkit/ecrkit/internal/test/session/protocol"
)

func main() {
	if os.Getenv(protocol.OwnProcess) == "" {
		if code, accepted := inSession(); accepted {
			os.Exit(code)
		}
	}
	program := os.Getenv(protocol.Program)
	fail(syscall.Exec(program, append([]string{program}, os.Args[1:]...), os.Environ()))
}

// inSession has the session run the command, and returns its exit code and whether the
// session has accepted it.
func inSession() (int, bool) {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: os.Getenv(protocol.Socket), Net: "unix"})
	if err != nil {
		fail(err)
	}
	command := protocol.Command{Args: os.Args[1:]}
	if command.Dir, err = os.Getwd(); err != nil {
		fail(err)
	}
	for _, variable := range os.Environ() {
		name, value, _ := strings.Cut(variable, "=")
		command.Env = append(command.Env, protocol.Variable{Name: name, Value: value})
	}
	text, err := json.Marshal(command)
	if err != nil {
		fail(err)
	}
	if _, _, err := conn.WriteMsgUnix(protocol.PutSize(len(text)), syscall.UnixRights(0, 1, 2), nil); err != nil {
		return 0, false
	}
	if _, err := conn.Write(text); err != nil {
		return 0, false
	}
	answer, err := io.ReadAll(conn)
	if len(answer) == 0 {
		return 0, false // it runs another command
	}
	code, invalid := strconv.Atoi(string(bytes.TrimPrefix(answer, []byte{protocol.Accepted})))
	if err != nil || invalid != nil {
		fail(fmt.Errorf("the session ended with %q: %w", answer, errors.Join(err, invalid)))
	}
	return code, true
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "session:", err)
	os.Exit(66)
}
