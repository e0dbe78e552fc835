//go:build linux

package transfertrial

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/ecrkit/ecrkit/localecr"
)

// activated starts the proxy as systemd does: with sockets from the file descriptor 3 on
// (https://man7.org/linux/man-pages/man3/sd_listen_fds.3.html), of which the process learns by
// variables. pid is LISTEN_PID, "$$" that of the proxy.
func (s *site) activated(pid string, sockets []*os.File, args ...string) *proxy {
	s.t.Helper()
	p := &proxy{site: s, cache: s.t.TempDir()}
	p.cmd = s.command(append([]string{"proxy", "--cache", p.cache}, args...)...)
	p.cmd.Args = append([]string{"sh", "-c", "LISTEN_PID=" + pid + ` exec "$0" "$@"`, ecrkit}, p.cmd.Args[1:]...)
	p.cmd.Path = "/bin/sh"
	p.cmd.Env = append(p.cmd.Env, "LISTEN_FDS="+strconv.Itoa(len(sockets)))
	p.cmd.ExtraFiles = sockets
	return p
}

// file is a socket as it is passed on. The caller's own end is closed.
func file(t *testing.T, l net.Listener) *os.File {
	t.Helper()
	f, err := l.(interface{ File() (*os.File, error) }).File()
	check(t, err)
	if u, ok := l.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
	}
	check(t, l.Close())
	t.Cleanup(func() { f.Close() })
	return f
}

// TestProxySocket starts the proxy with sockets to which clients have already connected.
func TestProxySocket(t *testing.T) {
	t.Parallel()
	s := start(t, localecr.Options{})
	m := makeImage(t, random, mib)
	s.run("push", "-q", "oci:"+m.dir, s.image("app", "x"))
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	address, path := tcp.Addr().String(), filepath.Join(t.TempDir(), "s")
	unix, err := net.Listen("unix", path)
	check(t, err)
	sockets := []*os.File{file(t, tcp), file(t, unix)}

	early, err := net.Dial("tcp", address)
	check(t, err)
	defer early.Close()
	_, err = io.WriteString(early, "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
	check(t, err)

	p := s.activated("$$", sockets, "--addr", "127.0.0.1:1") // nobody may listen there
	p.log = newOutput(p.cmd)
	check(t, p.cmd.Start())
	defer p.stop()
	p.url = "http://" + address
	answer, err := http.ReadResponse(bufio.NewReader(early), nil)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("the client that was there first: %v, %v", answer, err)
	}
	check(t, p.pull("app", m.layers[0].Digest))
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}}
	response, err := client.Get("http://127.0.0.1/healthz")
	check(t, err)
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("the second socket: %s", response.Status)
	}
}

// TestProxySocketWrong starts the proxy with sockets that it must not serve.
func TestProxySocketWrong(t *testing.T) {
	t.Parallel()
	s := start(t, localecr.Options{})
	remote, err := net.Listen("tcp", "0.0.0.0:0")
	check(t, err)
	no, err := os.Open(os.DevNull)
	check(t, err)
	defer no.Close()
	for name, c := range map[string]struct {
		socket *os.File
		want   string
	}{
		"other machines": {file(t, remote), "can be reached from other machines"},
		"no socket":      {no, "sockets of systemd: one is not a stream that listens"},
	} {
		out, err := s.activated("$$", []*os.File{c.socket}).cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), c.want) {
			t.Errorf("%s: %v, want %q:\n%s", name, err, c.want, out)
		}
	}
	// Sockets of another process are not this one's.
	p := s.activated("1", []*os.File{no}, "--addr", "127.0.0.1:0")
	stdout, err := p.cmd.StdoutPipe()
	check(t, err)
	check(t, p.cmd.Start())
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "ecrkit proxy: http://127.0.0.1:") {
		t.Errorf("with the sockets of another process: %q, %v", line, err)
	}
	p.stop()
}
