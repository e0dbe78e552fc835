package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"syscall"
	"time"
)

// listenTime bounds the check whether something listens on this machine.
const listenTime = time.Second

// checkListening fails at once if connections to an endpoint on this machine are refused. Retries
// would only delay the answer: such a server was not started. Other endpoints, and those
// that answered before, are not checked.
func (app *App) checkListening(ctx context.Context, endpoint string) error {
	address := loopbackAddress(endpoint)
	if _, known := app.listening.Load(address); address == "" || known {
		return nil
	}
	dialer := net.Dialer{Timeout: listenTime}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	if refused(err) {
		return fmt.Errorf("nothing listens at %s; is `ecrkit local` running?", address)
	}
	if err != nil {
		return nil // on a busy machine it may take longer to connect, which the calls retry
	}
	conn.Close()
	app.listening.Store(address, true)
	return nil
}

// windowsRefused is the error of Windows (WSAECONNREFUSED), which syscall.ECONNREFUSED is not there.
const windowsRefused = syscall.Errno(10061)

// refused reports whether a connection was refused because nothing listens.
func refused(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, windowsRefused)
}

// loopbackAddress returns HOST:PORT of a URL, or of a host, that is a loopback address of
// this machine; "" if it is not.
func loopbackAddress(endpoint string) string {
	host, port := endpoint, ""
	if u, err := url.Parse(endpoint); err == nil && u.Host != "" {
		host, port = u.Hostname(), u.Port()
		if port == "" {
			port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
		}
	} else if h, p, err := net.SplitHostPort(endpoint); err == nil {
		host, port = h, p
	}
	ip := net.ParseIP(host)
	if port == "" || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return ""
	}
	return net.JoinHostPort(host, port)
}
