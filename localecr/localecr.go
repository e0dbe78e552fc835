package localecr

import (
	"cmp"
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/internal/loopback"
	"github.com/ecrkit/ecrkit/localecr/internal/authority"
	"github.com/ecrkit/ecrkit/localecr/internal/credentials"
	"github.com/ecrkit/ecrkit/localecr/internal/hostname"
	"github.com/ecrkit/ecrkit/localecr/internal/keys"
	"github.com/ecrkit/ecrkit/localecr/internal/registry"
)

// ErrInUse means that another process has the data directory open.
var ErrInUse = registry.ErrInUse

// A Server is a local ECR. [Server.Start] and [Server.Listen] serve it on ports of its own; as an http.Handler it serves
// the AWS API, /v2/ and downloads on one.
type Server struct {
	// URL and Registry are where clients reach the server: "http://127.0.0.1:4510" and "127.0.0.1:4510". Start and
	// Listen set them. A program that uses the server as a handler sets them before the first request.
	URL      string
	Registry string

	callers atomic.Pointer[callers]
	account string // of the default registry, which is in DefaultRegion

	dir            string
	temporary      bool
	sync           bool
	store          *registry.Store
	key            []byte // of tokens and temporary keys
	clock          *Clock
	limits         registry.Limits
	buckets        buckets
	script         script
	scans          scanFindings
	quirksOff      []Quirk
	audit          Audit
	shape          NetworkShape
	urlLifetime    time.Duration
	downloadSecret string
	downloadAddr   string   // where to listen
	bound          net.Addr // where Listen does; nil for a handler
	downloads      net.Addr // where Listen does for downloads; nil for a handler
	hostNames      []string // in lower case
	upstreamsNow   atomic.Pointer[Upstreams]
	direct         http.RoundTripper // to upstream registries
	imports        imports
	logger         *slog.Logger

	tlsDir    string
	authority *authority.Authority // nil without TLS

	control  http.Handler
	metadata http.Handler // of an EC2 instance
	states   sync.Mutex   // held while the whole state is copied or replaced
	seed     func(context.Context, *Server) error
	seeding  atomic.Int32 // how many calls of Seed and Reset run

	keysMu    sync.Mutex
	keyStores map[string]*keys.Store

	closing   sync.Mutex
	closed    bool
	listeners []*Listener
	stop      chan struct{}  // closed by Close
	running   sync.WaitGroup // what Close waits for
	close     func() error   // once
}

// New opens the store and returns a server on it, which does not listen yet. The caller closes it, unless Start does. The
// error wraps [ErrInUse] if another server has the directory.
func New(o Options) (_ *Server, err error) {
	for _, q := range o.QuirksOff {
		if _, err := ParseQuirk(string(q)); err != nil {
			return nil, err
		}
	}
	if err := checkFaults(o.Faults); err != nil {
		return nil, err
	}
	s := &Server{
		dir: o.Dir, clock: o.Clock, limits: registry.DefaultLimits(), buckets: buckets{quotas: o.Quotas},
		quirksOff: o.QuirksOff, audit: o.Audit, shape: o.Shape, urlLifetime: cmp.Or(o.URLLifetime, DefaultURLLifetime), downloadAddr: o.DownloadAddr,
		sync: o.Sync, logger: o.Logger, keyStores: map[string]*keys.Store{}, stop: make(chan struct{}), seed: o.Seed,
		direct: loopback.NewTransport(),
	}
	s.control, s.metadata = s.newControl(), s.credentials().Metadata()
	if o.TLSDir != "" {
		if s.authority, err = authority.Open(context.Background(), o.TLSDir); err != nil {
			return nil, fmt.Errorf("certificates of the local ECR: %w", err)
		}
		s.tlsDir = o.TLSDir
	}
	for _, name := range o.HostNames {
		s.hostNames = append(s.hostNames, hostname.Of(name))
	}
	s.script.set(o.Faults)
	if err := s.SetUpstreams(o.Upstreams); err != nil {
		return nil, err
	}
	if err := s.SetScanFindings(o.ScanFindings...); err != nil {
		return nil, err
	}
	if s.clock == nil {
		s.clock = &Clock{}
	}
	if o.Limits != nil {
		s.limits = registry.Limits(*o.Limits)
	}
	if s.logger == nil {
		s.logger = slog.New(slog.DiscardHandler)
	}
	if s.dir == "" {
		if s.dir, err = os.MkdirTemp("", "localecr-*"); err != nil {
			return nil, fmt.Errorf("local ECR data: %w", err)
		}
		s.temporary = true
	}
	defer func() {
		if err != nil && s.temporary {
			err = errors.Join(err, files.RemoveAll(s.dir))
		}
	}()
	s.store, err = registry.Open(s.dir, registry.Options{Clock: s.clock.Now, Sync: o.Sync, Limits: &s.limits, SigningTime: cmp.Or(o.SigningTime, DefaultSigningTime), ReplicationTime: cmp.Or(o.ReplicationTime, DefaultReplicationTime), SignPayload: s.signPayload,
		PreviewTime: cmp.Or(o.PreviewTime, DefaultPreviewTime), RestoreTime: cmp.Or(o.RestoreTime, DefaultRestoreTime), ScanTime: cmp.Or(o.ScanTime, DefaultScanTime), ScanFixture: s.scans.find, DefaultKey: s.defaultKey, CheckKey: s.checkKey, IsUpstream: s.isUpstream, HasSecret: s.hasSecret,
		Quirks: registry.Quirks{NoConfigAnnotations: s.quirk(QuirkNoConfigAnnotations), EmptyIndex: s.quirk(QuirkEmptyIndex), AnySize: s.quirk(QuirkAnySize),
			BuildKitArtifact: s.quirk(QuirkBuildKitArtifact)}})
	if err != nil {
		return nil, err
	}
	if o.Accounts == nil {
		o.Accounts = DefaultAccounts()
	}
	if err = s.openIdentities(o.Accounts); err != nil {
		return nil, errors.Join(err, s.store.Close())
	}
	if err = s.removeUnfinished(); err != nil {
		return nil, errors.Join(fmt.Errorf("local ECR data: %w", err), s.store.Close())
	}
	s.close = sync.OnceValue(s.closeOnce)
	s.running.Go(s.expire)
	return s, nil
}

// openIdentities reads the server's key, which it makes at first, and sets up who may call.
func (s *Server) openIdentities(accounts []Account) error {
	path := filepath.Join(s.dir, "server.key")
	key, err := files.Read(path, 64<<10)
	if errors.Is(err, os.ErrNotExist) {
		key = make([]byte, 32)
		_, _ = rand.Read(key) // never fails
		err = files.WriteFile(path, key, 0o600)
	}
	if err != nil {
		return fmt.Errorf("key of the local ECR: %w", err)
	}
	s.key = key
	if err := s.setCallers(accounts); err != nil {
		return err
	}
	s.account = accounts[0].ID
	secret, err := hkdf.Key(sha256.New, key, nil, "ecrkit local ECR: pre-signed URLs", 32)
	s.downloadSecret = hex.EncodeToString(secret)
	return err
}

// expire removes what is over, once a minute.
func (s *Server) expire() {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
			if err := s.Expire(); err != nil {
				s.logger.Error("local ECR", "error", err)
			}
		}
	}
}

// Expire removes uploads, and layers without an image, that have outlived their lifetime, finishes managed signing and
// applies the lifecycle policies that are due. The server does so once a minute; a test that has moved the clock calls it.
func (s *Server) Expire() error { return s.store.Expire() }

// Clock returns the server's clock.
func (s *Server) Clock() *Clock { return s.clock }

// SetFaults replaces the scripted faults. Their calls are counted from now on.
func (s *Server) SetFaults(faults ...Fault) error {
	if err := checkFaults(faults); err != nil {
		return err
	}
	s.script.set(faults)
	return nil
}

// ServeHTTP answers a request to the AWS API, to /v2/, for a download, to /_ecrkit/ or for
// instance metadata, by its path.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case !s.answersTo(r):
		misdirected(w, r)
	case strings.HasPrefix(r.URL.Path, "/v2/") || r.URL.Path == "/v2":
		s.serveV2(w, r)
	case strings.HasPrefix(r.URL.Path, downloadPath):
		s.serveS3(w, r)
	case strings.HasPrefix(r.URL.Path, controlPath), strings.HasPrefix(r.URL.Path, credentials.WellKnownPath):
		s.control.ServeHTTP(w, r)
	case strings.HasPrefix(r.URL.Path, credentials.MetadataPath):
		s.metadata.ServeHTTP(w, r)
	default:
		s.serveAPI(w, r)
	}
}

// serveDownloads answers on the port of the downloads alone.
func (s *Server) serveDownloads(w http.ResponseWriter, r *http.Request) {
	if !s.answersTo(r) {
		misdirected(w, r)
		return
	}
	s.serveS3(w, r)
}

// scheme is that of the URLs by which clients call the server.
func (s *Server) scheme() string {
	if s.authority != nil {
		return "https"
	}
	return "http"
}

// schemeOf is that of the URLs in an answer: that of the request, whose client may not speak the other.
func schemeOf(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}
