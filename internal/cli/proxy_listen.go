package cli

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"github.com/coreos/go-systemd/v22/activation"
)

// proxyListeners returns what the proxy listens on: the sockets that systemd passed, else the
// one of the flags.
func (app *App) proxyListeners(f proxyFlags) ([]net.Listener, error) {
	passed, err := activation.Listeners()
	if err != nil {
		return nil, fmt.Errorf("sockets of systemd: %w", err)
	}
	for _, l := range passed {
		switch {
		case l == nil:
			closeListeners(passed)
			return nil, errors.New("sockets of systemd: one is not a stream that listens")
		case l.Addr().Network() == "tcp" && !onLoopback(l.Addr().String()) && !f.remote:
			closeListeners(passed)
			return nil, usagef("the socket %s of systemd can be reached from other machines, which would read with your credentials; use a loopback address, or add --allow-remote", l.Addr())
		}
	}
	if len(passed) > 0 {
		return passed, nil
	}
	if f.socket != "" {
		l, err := listenSocket(f.socket)
		if err != nil {
			return nil, fmt.Errorf("--socket: %w", err)
		}
		return []net.Listener{l}, nil
	}
	l, err := net.Listen("tcp", f.addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%w; use another --addr, or --addr 127.0.0.1:0 for a free port", err)
	}
	if err != nil {
		return nil, err
	}
	return []net.Listener{l}, nil
}

func closeListeners(all []net.Listener) {
	for _, l := range all {
		if l != nil {
			_ = l.Close() // it is closed already if it was served
		}
	}
}

// listenerURL is how people write the address of a listener.
func listenerURL(l net.Listener) string {
	if l.Addr().Network() == "unix" {
		return "unix:" + l.Addr().String()
	}
	return "http://" + l.Addr().String()
}

// unixSocket is a listener whose file was made elsewhere.
type unixSocket struct {
	net.Listener
	path string
}

func (s unixSocket) Addr() net.Addr { return &net.UnixAddr{Name: s.path, Net: "unix"} }

func (s unixSocket) Close() error {
	err := s.Listener.Close()
	if err == nil {
		err = os.Remove(s.path)
	}
	return err
}

// listenSocket listens on a Unix socket that only this user can connect to. One that an ended
// process left is replaced.
func listenSocket(path string) (net.Listener, error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return nil, err
	case info.Mode().Type() != os.ModeSocket:
		return nil, fmt.Errorf("%s exists and is not a socket", path)
	default:
		if conn, err := net.Dial("unix", path); err == nil {
			conn.Close()
			return nil, fmt.Errorf("%s is in use; is `ecrkit proxy` running already?", path)
		}
	}
	// Nobody can connect before the permissions are set.
	dir, err := os.MkdirTemp(filepath.Dir(path), ".ecrkit-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	made := filepath.Join(dir, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: made, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	if err = os.Chmod(made, 0o600); err == nil {
		err = os.Rename(made, path)
	}
	if err != nil {
		l.Close()
		return nil, err
	}
	return unixSocket{l, path}, nil
}
