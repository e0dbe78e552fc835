package docker

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/docker/go-connections/sockets"
	"github.com/docker/go-connections/tlsconfig"
	"github.com/moby/moby/client"

	"github.com/ecrkit/ecrkit/internal/calls"
	"github.com/ecrkit/ecrkit/internal/calls/retry"
)

// maxAnswer bounds what a daemon answers that is kept in memory, in bytes.
const maxAnswer = 16 << 20

// How long a daemon may be silent. It writes an image to its disk before it sends the first byte, and unpacks one that it
// has read; both take minutes for large ones.
var (
	briefly = retry.Policy{Answer: 2 * time.Minute, Bytes: 30 * time.Second, Rate: 512, Slack: 2 * time.Minute}
	saving  = retry.Policy{Answer: 30 * time.Minute, Bytes: 2 * time.Minute, Rate: 512, Slack: 4 * time.Minute}
	loading = retry.Policy{Answer: 30 * time.Minute, Bytes: 30 * time.Minute}
)

// client returns a client of the engine whose requests end if it is silent. The client's own transport cannot be watched,
// so it gets one that is made the same way.
func (d Daemon) client() (*client.Client, error) {
	host := cmp.Or(d.Host, client.DefaultDockerHost)
	address, err := client.ParseHostURL(host)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{}
	if err := sockets.ConfigureTransport(transport, address.Scheme, address.Host); err != nil {
		return nil, err
	}
	if address.Scheme == "tcp" {
		calls.Connect(transport)
	}
	// A client is closed before it is used again.
	transport.DisableKeepAlives = true
	scheme := "http"
	if d.TLSDir != "" {
		file := func(name string) string { return filepath.Join(d.TLSDir, name) }
		transport.TLSClientConfig, err = tlsconfig.Client(tlsconfig.Options{
			CAFile: file("ca.pem"), CertFile: file("cert.pem"), KeyFile: file("key.pem"), ExclusiveRootPools: true,
		})
		if err != nil {
			return nil, fmt.Errorf("configure TLS: %w", err)
		}
		scheme = "https"
	}
	watched := &http.Client{Transport: watched(transport), CheckRedirect: client.CheckRedirect}
	return client.New(client.WithHost(host), client.WithHTTPClient(watched), client.WithScheme(scheme))
}

// silentError is the error of a daemon that is silent for too long. It is not a [net.Error]: of
// those, the client only says that it cannot connect.
type silentError struct{ err error }

func (e *silentError) Error() string { return e.err.Error() }
func (e *silentError) Unwrap() error { return e.err }

// watched returns a transport that ends requests to a daemon that is silent, and bounds its answers.
func watched(next http.RoundTripper) http.RoundTripper {
	return calls.Sender(func(r *http.Request) (*http.Response, error) {
		patience, kept := briefly, true
		switch {
		case strings.HasSuffix(r.URL.Path, "/images/get"):
			patience, kept = saving, false
		case strings.HasSuffix(r.URL.Path, "/images/load"):
			patience, kept = loading, false
		}
		response, err := calls.Watched(next.RoundTrip, func() retry.Policy { return patience })(r)
		if err != nil {
			return nil, silence(err)
		}
		response.Body = answerBody{response.Body}
		if kept {
			response.Body = calls.LimitBody(response.Body, maxAnswer, fmt.Errorf("the answer of the docker daemon is longer than %d bytes", maxAnswer))
		}
		return response, nil
	})
}

// silence returns err, as a [silentError] if the daemon was silent.
func silence(err error) error {
	if calls.IsStall(err) {
		return &silentError{err}
	}
	return err
}

// answerBody is the body of an answer, which may stop in the middle.
type answerBody struct{ io.ReadCloser }

func (b answerBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	return n, silence(err)
}
