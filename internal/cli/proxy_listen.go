package cli

import (
	"errors"
	"fmt"
	"net"
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
