//go:build linux

package transfertrial

import (
	"context"
	"errors"
	"flag"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/ecrkit/ecrkit/internal/test/binaries"
	"github.com/ecrkit/ecrkit/localecr"
)

var (
	ecrkit string                                                                                       // path of the program
	built  = sync.OnceValue(func() error { return binaries.Build(filepath.Dir(ecrkit), "cmd/ecrkit") }) // by the first test
)

// parallel is how many tests run at once: most of their time is that of processes that wait.
const parallel = "6"

func TestMain(m *testing.M) {
	flag.Parse()
	set := false
	flag.Visit(func(f *flag.Flag) { set = set || f.Name == "test.parallel" })
	if !set {
		if err := flag.Set("test.parallel", parallel); err != nil {
			panic(err)
		}
	}
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "ecrkit-transfer")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		ecrkit = filepath.Join(dir, "ecrkit")
		return m.Run()
	}())
}

// site is a local ECR with the repositories "app" and "other", and a home directory.
type site struct {
	config   string // file with settings of ecrkit, if not ""
	t        testing.TB
	server   *localecr.Server
	calls    *localecr.Recorder
	registry string // HOST:PORT
	home     string

	meter *meter
	other bool // commands do not know that it is a local ECR
}

// start starts a local ECR whose bytes are metered.
func start(t testing.TB, o localecr.Options) *site {
	t.Helper()
	s := &site{t: t, calls: &localecr.Recorder{}, home: t.TempDir()}
	o.Audit = s.calls
	server, err := localecr.New(o)
	check(t, err)
	s.server, s.meter = server, newMeter(server)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	s.registry = listener.Addr().String()
	server.Registry, server.URL = s.registry, "http://"+s.registry
	front := &http.Server{Handler: s.meter}
	var serving sync.WaitGroup
	serving.Go(func() { _ = front.Serve(listener) }) // ends when it is closed
	t.Cleanup(func() {
		_ = front.Close()
		serving.Wait()
		s.meter.wait()
		check(t, server.Close())
	})
	s.createRepositories()
	return s
}

// startPlain starts a local ECR as [localecr.Server.Start] does, which can reset
// connections.
func startPlain(t testing.TB, o localecr.Options) *site {
	t.Helper()
	s := &site{t: t, calls: &localecr.Recorder{}, home: t.TempDir()}
	o.Audit = s.calls
	server, err := localecr.New(o)
	check(t, err)
	server.Start(t)
	s.server, s.registry = server, server.Registry
	s.createRepositories()
	return s
}

func (s *site) createRepositories() {
	s.t.Helper()
	check(s.t, built())
	for _, name := range []string{"app", "other"} {
		s.createRepository(name)
	}
	s.calls.Reset()
}

// createRepository creates a repository, unless it exists.
func (s *site) createRepository(name string) {
	s.t.Helper()
	user := localecr.DefaultAccounts()[0].Users[0]
	client := ecr.New(ecr.Options{
		Region: localecr.DefaultRegion, BaseEndpoint: aws.String("http://" + s.registry),
		Credentials: credentials.NewStaticCredentialsProvider(user.AccessKeyID, user.SecretAccessKey, ""),
	})
	_, err := client.CreateRepository(context.Background(), &ecr.CreateRepositoryInput{RepositoryName: &name})
	if exists := (*types.RepositoryAlreadyExistsException)(nil); !errors.As(err, &exists) {
		check(s.t, err)
	}
}

// command is a run of ecrkit that has not begun.
func (s *site) command(args ...string) *exec.Cmd {
	cmd := exec.Command(ecrkit, args...)
	cmd.Dir = s.home
	cmd.Env = append([]string{"HOME=" + s.home, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + s.temp()}, s.server.Env()...)
	if s.other {
		cmd.Env = slices.DeleteFunc(cmd.Env, func(v string) bool { return strings.HasPrefix(v, "ECRKIT_REGISTRIES=") })
	}
	if s.config != "" {
		cmd.Env = append(cmd.Env, "ECRKIT_CONFIG="+s.config)
	}
	return cmd
}

// temp is the directory for temporary files of all runs.
func (s *site) temp() string {
	dir := filepath.Join(s.home, "tmp")
	check(s.t, os.MkdirAll(dir, 0o700))
	return dir
}

// run runs ecrkit to its end.
func (s *site) run(args ...string) {
	s.t.Helper()
	if out, err := s.command(args...).CombinedOutput(); err != nil {
		s.t.Fatalf("ecrkit %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// fails runs ecrkit, which has to fail with a text, and returns its output.
func (s *site) fails(text string, args ...string) string {
	s.t.Helper()
	out, err := s.command(args...).CombinedOutput()
	if err == nil || !strings.Contains(string(out), text) {
		s.t.Errorf("ecrkit %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// image is the reference of a tag in a repository.
func (s *site) image(repository, tag string) string { return s.registry + "/" + repository + ":" + tag }

// nothingLeft looks for what runs may have left behind: notes of uploads, files in
// the layout that are no blobs, temporary files.
func (s *site) nothingLeft(layouts ...string) {
	s.t.Helper()
	for _, pattern := range []string{filepath.Join(s.home, ".local", "state", "ecrkit", "uploads", "*"), filepath.Join(s.temp(), "*")} {
		if left, err := filepath.Glob(pattern); err != nil || len(left) > 0 {
			s.t.Errorf("left behind: %v %v", left, err)
		}
	}
	for _, dir := range layouts {
		entries, err := os.ReadDir(dir)
		check(s.t, err)
		for _, e := range entries {
			if name := e.Name(); name != "blobs" && name != "index.json" && name != "oci-layout" {
				s.t.Errorf("left behind in %s: %s", dir, name)
			}
		}
	}
}

// layerCalls are the calls of one operation.
func (s *site) layerCalls(op string) (calls []localecr.Call) {
	for _, c := range s.calls.Calls() {
		if c.Op == op {
			calls = append(calls, c)
		}
	}
	return calls
}

// meter counts the bytes of layers as they pass, and calls a function when so many
// have passed.
type meter struct {
	next http.Handler
	up   atomic.Int64 // of bodies of UploadLayerPart, and of blobs and manifests in /v2/
	down atomic.Int64 // of answers to GET

	mu      sync.Mutex
	at      int64
	passed  func()
	serving int
	idle    *sync.Cond // serving is 0
}

func newMeter(next http.Handler) *meter {
	m := &meter{next: next}
	m.idle = sync.NewCond(&m.mu)
	return m
}

// after has f called once, when n more bytes have passed.
func (m *meter) after(n int64, f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.at, m.passed = m.up.Load()+m.down.Load()+n, f
}

func (m *meter) look() {
	m.mu.Lock()
	f := m.passed
	if f != nil && m.up.Load()+m.down.Load() >= m.at {
		m.passed = nil
	} else {
		f = nil
	}
	m.mu.Unlock()
	if f != nil {
		f()
	}
}

// wait waits until no request is being answered.
func (m *meter) wait() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for m.serving > 0 {
		m.idle.Wait()
	}
}

func (m *meter) count(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.serving += n; m.serving == 0 {
		m.idle.Broadcast()
	}
}

func (m *meter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.count(1)
	defer m.count(-1)
	switch {
	case strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".UploadLayerPart"), r.Method == http.MethodPut, r.Method == http.MethodPatch:
		r.Body = &meteredBody{r.Body, m}
	case r.Method == http.MethodGet:
		w = &meteredWriter{w, m}
	}
	m.next.ServeHTTP(w, r)
}

type meteredBody struct {
	io.ReadCloser
	m *meter
}

func (b *meteredBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.m.up.Add(int64(n))
	b.m.look()
	return n, err
}

type meteredWriter struct {
	http.ResponseWriter
	m *meter
}

func (w *meteredWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *meteredWriter) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.m.down.Add(int64(n))
	w.m.look()
	return n, err
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
