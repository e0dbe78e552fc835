//go:build linux

package transfertrial

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"github.com/ecrkit/ecrkit/localecr"
)

// TestProxyNeeds pulls 16 layers at once through the proxy, which has little memory, and little more on
// the disk than the layers have.
func TestProxyNeeds(t *testing.T) {
	t.Parallel()
	proxyNeeds(t, 0, repeat(4*mib, 16)...)
}

// proxyNeeds has 16 clients pull layers of these sizes at once, with and without room in the
// cache, and then none for so long.
func proxyNeeds(t *testing.T, idle time.Duration, sizes ...int64) {
	m, all := makeImage(t, sparse, sizes...), int64(0)
	for _, size := range sizes {
		all += size
	}
	s := start(t, localecr.Options{})
	s.run("push", "-q", "oci:"+m.dir, s.image("app", "x"))
	for name, room := range map[string]int64{"cached": all + mib, "passed on": mib} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := s.startProxy(t.TempDir(), room)
			defer p.stop()
			begin := time.Now()
			var clients sync.WaitGroup
			for i := range 16 {
				clients.Go(func() {
					if err := p.pull("app", m.layers[i%len(m.layers)].Digest); err != nil {
						t.Error(err)
					}
				})
			}
			clients.Wait()
			took, peak, used, before := time.Since(begin).Seconds(), p.peak(), onDisk(t, p.cache), p.cpu()
			t.Logf("peak RSS %.1f MiB, %.1f s, CPU %v, on the disk %.4f of the layers", float64(peak)/mib, took, before, float64(used)/float64(all))
			if peak > maxMemory {
				t.Errorf("peak RSS %d KiB, limit %d KiB", peak/kib, maxMemory/kib)
			}
			if limit := min(all, room) * 101 / 100; used > limit+64*kib { // some directories and notes
				t.Errorf("%d bytes on the disk, want at most %d", used, limit)
			}
			if idle > 0 {
				p.settle()
				if busy := p.busySeconds(idle); len(busy) > 3 {
					t.Errorf("CPU time in %d seconds of %v without a client: %v", len(busy), idle, busy)
				}
			}
		})
	}
}

// proxy is an `ecrkit proxy` before the registry of a site.
type proxy struct {
	*site
	cmd   *exec.Cmd
	cache string // its directory
	url   string
	log   *bytes.Buffer
}

// startProxy starts a proxy with a cache of so many bytes in dir, which is stopped or killed by the caller.
func (s *site) startProxy(dir string, size int64, args ...string) *proxy {
	s.t.Helper()
	p := &proxy{site: s, cache: dir, log: new(bytes.Buffer)}
	p.cmd = s.command(append([]string{"proxy", "--addr", "127.0.0.1:0", "--cache", dir, "--cache-size", fmt.Sprint(size)}, args...)...)
	p.cmd.Stderr = p.log
	stdout, err := p.cmd.StdoutPipe()
	check(s.t, err)
	check(s.t, p.cmd.Start())
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		s.t.Fatalf("ecrkit proxy: %v\n%s", err, p.log)
	}
	p.url = strings.TrimPrefix(strings.TrimSpace(line), "ecrkit proxy: ")
	return p
}

// stop ends the proxy as systemd does.
func (p *proxy) stop() {
	p.t.Helper()
	check(p.t, p.cmd.Process.Signal(syscall.SIGTERM))
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("ecrkit proxy: %v\n%s", err, p.log)
	}
}

// repository is the URL of a repository by the proxy.
func (p *proxy) repository(name string) string {
	return p.url + "/v2/" + strings.Replace(p.registry, ":", "_", 1) + "/" + name
}

// pull reads a blob through the proxy. Its error is that the blob did not come; wrong bytes fail the test.
func (p *proxy) pull(repository string, d digest.Digest) error {
	response, err := http.Get(p.repository(repository) + "/blobs/" + string(d))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	hash := sha256.New()
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	if _, err := io.Copy(hash, response.Body); err != nil {
		return err
	}
	if got := hex.EncodeToString(hash.Sum(nil)); got != d.Encoded() {
		p.t.Errorf("the proxy sent the blob %s for %s", got, d)
	}
	return nil
}

// peak returns the peak of the resident memory in bytes.
func (p *proxy) peak() int64 {
	p.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	check(p.t, err)
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var n int64
	if _, err := fmt.Sscanf(rest, "%d kB", &n); err != nil {
		p.t.Fatalf("VmHWM: %v", err)
	}
	return n * kib
}

// noise is CPU time that does not count: less than one wake-up takes.
const noise = 100 * time.Microsecond

// cpu returns the CPU time so far.
func (p *proxy) cpu() time.Duration {
	p.t.Helper()
	// The clock of another process, as clock_getcpuclockid of the C library makes its name.
	clock := int32(^p.cmd.Process.Pid<<3 | 2)
	var spent unix.Timespec
	check(p.t, unix.ClockGettime(clock, &spent))
	return time.Duration(spent.Nano())
}

// busySeconds returns the CPU time of each second in which there was some. Go collects garbage every two minutes, and the
// connections to the registry end after a while; more than a few such seconds are something that goes on for ever.
func (p *proxy) busySeconds(during time.Duration) (busy []time.Duration) {
	p.t.Helper()
	last := p.cpu()
	for range int(during.Seconds()) {
		time.Sleep(time.Second)
		now := p.cpu()
		if now-last > noise {
			busy = append(busy, now-last)
		}
		last = now
	}
	return busy
}

// settle waits until what follows the last client has ended, such as a garbage collection, which may take long on a busy
// machine: five seconds without CPU time.
func (p *proxy) settle() {
	p.t.Helper()
	last := p.cpu()
	for range 24 {
		time.Sleep(5 * time.Second)
		now := p.cpu()
		if now-last <= noise {
			return
		}
		last = now
	}
	p.t.Error("the proxy is still busy two minutes after the last client")
}

// onDisk returns how many bytes the files and directories below dir take.
func onDisk(t testing.TB, dir string) (sum int64) {
	t.Helper()
	check(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil {
			sum += info.Sys().(*syscall.Stat_t).Blocks * 512
		}
		return err
	}))
	return sum
}
