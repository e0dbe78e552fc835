package fakeaws

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// The outcomes of a [ProxyRequest].
const (
	Refused   = "refused"
	Tunnelled = "tunnelled"
	Forwarded = "forwarded"
)

// A ProxyRequest is one that a client has sent to a [Proxy].
type ProxyRequest struct {
	Method  string // CONNECT, GET, …
	Target  string // HOST:PORT of a CONNECT, else the URL without its query
	Outcome string // also the operation that is counted
}

// Proxy is an HTTP proxy that lets nothing through but the allowed hosts: it shows where a client
// wanted to go, and stands in for link-local addresses. The zero Proxy is not ready: use [NewProxy].
type Proxy struct {
	Server

	mu       sync.Mutex
	log      []ProxyRequest
	tunnels  map[string]string
	forwards map[string]http.Handler
}

// NewProxy makes a proxy that refuses everything.
func NewProxy() *Proxy {
	p := &Proxy{tunnels: map[string]string{}, forwards: map[string]http.Handler{}}
	p.setup("proxy", p, time.Now)
	return p
}

// Tunnel lets CONNECT to target, HOST:PORT, reach addr, which must be IP:PORT of the loopback
// interface.
func (p *Proxy) Tunnel(target, addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("fake proxy: tunnel to %q: %w", addr, err)
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("fake proxy: tunnel to %q: it is not an address of the loopback interface", addr)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tunnels[target] = addr
	return nil
}

// Forward lets a handler answer the plain http requests for a host, such as 169.254.170.2.
func (p *Proxy) Forward(host string, h http.Handler) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forwards[host] = h
}

// Log returns the requests since the start or the last Reset.
func (p *Proxy) Log() []ProxyRequest {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.log)
}

// Connects returns the targets of the CONNECT requests, HOST:PORT.
func (p *Proxy) Connects() []string {
	var out []string
	for _, r := range p.Log() {
		if r.Method == http.MethodConnect {
			out = append(out, r.Target)
		}
	}
	return out
}

// Reset empties the log and sets the counts to zero.
func (p *Proxy) Reset() {
	p.Server.Reset()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log = nil
}

func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodConnect {
		p.connect(w, r)
		return
	}
	target := *r.URL
	target.User, target.RawQuery, target.Fragment = nil, "", ""
	p.mu.Lock()
	h := p.forwards[r.URL.Hostname()]
	p.mu.Unlock()
	if h == nil || r.URL.Scheme != "http" {
		p.refuse(w, r, target.String())
		return
	}
	p.record(ProxyRequest{r.Method, target.String(), Forwarded})
	h.ServeHTTP(w, r)
}

func (p *Proxy) record(r ProxyRequest) {
	p.mu.Lock()
	p.log = append(p.log, r)
	p.mu.Unlock()
	p.add(r.Outcome)
}

func (p *Proxy) refuse(w http.ResponseWriter, r *http.Request, target string) {
	p.record(ProxyRequest{r.Method, target, Refused})
	w.Header().Set("Connection", "close")
	http.Error(w, "this proxy leads nowhere", http.StatusBadGateway)
}

func (p *Proxy) connect(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	addr := p.tunnels[r.Host]
	p.mu.Unlock()
	if addr == "" {
		p.refuse(w, r, r.Host)
		return
	}
	var dialer net.Dialer
	server, err := dialer.DialContext(r.Context(), "tcp", addr)
	if err != nil {
		p.refuse(w, r, r.Host)
		return
	}
	client, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		_ = server.Close() // nothing was sent on it
		p.refuse(w, r, r.Host)
		return
	}
	p.record(ProxyRequest{r.Method, r.Host, Tunnelled})
	p.splice(client, buffered, server)
}

// splice copies both ways until one end closes, or the proxy.
func (p *Proxy) splice(client net.Conn, fromClient io.Reader, server net.Conn) {
	over := make(chan struct{}, 2)
	if _, err := io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		over <- struct{}{}
	}
	copyTo := func(to io.Writer, from io.Reader) {
		_, _ = io.Copy(to, from) // either end may go at any time
		over <- struct{}{}
	}
	var wg sync.WaitGroup
	wg.Go(func() { copyTo(server, fromClient) })
	wg.Go(func() { copyTo(client, server) })
	select {
	case <-over:
	case <-p.stopped():
	}
	_, _ = client.Close(), server.Close() // TLS has no half-closed connections that could lose something
	wg.Wait()
}
