package proxy

import (
	"errors"
	"io"
	"net"
	"net/http"
)

// statusClientGone is the status that the log and the metrics have for a client that went away before it was answered. No
// client gets it. The number is that of nginx (https://nginx.org/en/docs/dev/development_guide.html#http_request).
const statusClientGone = 499

// failUnlessGone answers a request with the failure. Where the client has gone, that is why the request failed, and
// nothing else is to blame. The context of a request ends too when its body stops coming, which is a failure of its own.
func (a *answer) failUnlessGone(r *http.Request, f *failure) {
	if r.Context().Err() != nil && f.status >= http.StatusInternalServerError {
		a.status = statusClientGone
		return
	}
	a.fail(r, f)
	if f.gone {
		a.status = statusClientGone
	}
}

// isBrokenOff reports whether err, of reading the body of a request, is of a client that went away in the middle of it.
func isBrokenOff(err error) bool {
	var network net.Error
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &network) && !network.Timeout()
}
