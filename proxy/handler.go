package proxy

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/semaphore"
	"golang.org/x/sync/singleflight"

	"github.com/ecrkit/ecrkit/internal/loopback"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// Options describe a proxy.
type Options struct {
	// Open opens a repository of a registry, both in their canonical spelling. It is
	// called only for hosts that Allowed accepts. It has our own credentials: those of
	// clients are never used. Without it every request for an image fails.
	Open func(ctx context.Context, host, repository string) (content.Source, error)
	// Allowed reports whether clients may read from the registry at host; nil allows none.
	Allowed func(host string) bool
	// Demand returns what is required of the images of a repository; nil requires nothing. An
	// error keeps them from being answered: one that wraps [ErrRefused] whatever they are.
	Demand func(ctx context.Context, host, repository string) (ImageRequirements, error)
	// Push lets clients push, with our own credentials.
	Push bool
	// BeforeTag, if not nil, is called before a pushed image gets a tag: dst has it by its
	// digest. An error keeps the tag from being set.
	BeforeTag func(ctx context.Context, host, repository string, dst content.Target, image content.Manifest) error
	// Connections is the number of connections for one blob; 0 is that of package
	// transfer.
	Connections int
	// AllConnections is the number of connections for all blobs that are fetched into the
	// cache; 0 is 64.
	AllConnections int
	// OfflineTags has a tag answered as it was last, from the cache, if the registry cannot
	// be reached.
	OfflineTags bool
	// Prefetch has a blob fetched to its end when its last client has gone.
	Prefetch bool
	// AnyHost has requests answered whatever their Host header says. Otherwise it must
	// be a loopback address: a web page that rebinds its own name must not get through.
	AnyHost bool
	// Logger gets one record for each request, without queries and headers; nil means none.
	Logger *slog.Logger
}

// Handler is the proxy as an [http.Handler]. It serves /v2/ and, with [Status], /healthz. It can be mounted under these
// paths of another server, whose write timeout has to leave time for a layer.
type Handler struct {
	options  Options
	cache    *Cache
	metrics  *metrics
	patience time.Duration // with clients
	// fetchPatience is how long a fetch goes on without clients.
	fetchPatience time.Duration
	since         time.Time
	life          context.Context
	end           context.CancelFunc
	fetches       fetches
	waits         waits
	prepared      preparations
	uploads       uploads
	slots         *semaphore.Weighted // connections of all fetches
	passes        *semaphore.Weighted // blobs that are passed on without the cache
	pushedRoom    *manifestRoom       // for what clients send
	readRoom      *manifestRoom       // for what requests read
	verifyRoom    *manifestRoom       // for what verifications read
	spools        spools
	verifying     singleflight.Group
	dirty         chan struct{} // has an element if something is to be written
	kept          sync.WaitGroup
	answering     atomic.Int64 // requests that are being answered
	running       running
	draining      atomic.Bool

	mu           sync.Mutex
	repositories map[string]*repository // by HOST/REPOSITORY
}

// New returns a proxy that keeps what it fetches in cache. It is closed by the caller.
func New(cache *Cache, options Options) *Handler {
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	if options.AllConnections <= 0 {
		options.AllConnections = defaultAllConnections
	}
	life, end := context.WithCancel(context.Background())
	h := &Handler{
		options: options, cache: cache, patience: clientPatience, fetchPatience: fetchPatience, since: time.Now(), life: life, end: end,
		fetches: fetches{all: map[digest.Digest]*fetch{}}, prepared: preparations{all: map[preparedKey]*preparation{}}, uploads: newUploads(options.Connections), repositories: map[string]*repository{},
		slots: semaphore.NewWeighted(int64(options.AllConnections)), passes: semaphore.NewWeighted(maxPasses),
		pushedRoom: newHostsRoom(), readRoom: newManifestRoom(), verifyRoom: newHostsRoom(),
		spools: spools{cache: cache, hosts: map[string]*semaphore.Weighted{}},
		dirty:  make(chan struct{}, 1),
	}
	h.metrics = newMetrics(h)
	h.kept.Go(h.keep)
	return h
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	answer := &answer{ResponseWriter: w, patience: h.patience, draining: &h.draining}
	t := target{}
	if r.ContentLength != 0 { // without a connection there is no deadline either
		_ = http.NewResponseController(w).SetReadDeadline(start.Add(unreadTime))
	}
	defer func() {
		h.metrics.request(t.kind, r.Method, answer)
		level, attributes := slog.LevelInfo, []any{"method", r.Method, "host", t.host, "repository", t.repository, "kind", t.kind,
			"reference", t.logged(), "status", answer.status, "bytes", answer.bytes, "duration", time.Since(start).String()}
		if answer.reason != "" && t.host != "" && t.kind == kindBlobs && r.Method == http.MethodGet && answer.status != statusClientGone {
			// podman prints only the status. What is no name may be anything, also a password, so its reason is not logged.
			level, attributes = slog.LevelWarn, append(attributes, "error", answer.reason)
		}
		h.options.Logger.Log(context.WithoutCancel(r.Context()), level, "request", attributes...)
	}()
	answer.Header().Set("Docker-Distribution-API-Version", "registry/2.0")
	answer.Header().Set("X-Content-Type-Options", "nosniff") // what images contain is no page
	if !h.options.AnyHost && !loopback.Is(r.Host) {
		answer.fail(r, &failure{status: http.StatusForbidden, code: "DENIED", message: "the Host header is not a loopback address"})
		return
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site == "cross-site" || site == "same-site" {
		// https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header: only browsers send it. What a page embeds comes from
		// its reader, and would be fetched with the credentials of this machine.
		answer.fail(r, &failure{status: http.StatusForbidden, code: "DENIED", message: "pages in a browser cannot use the proxy"})
		return
	}
	if h.fixed(answer, r) {
		return
	}
	h.answering.Add(1) // a request for their number does not count itself
	defer h.answering.Add(-1)
	var refused *failure
	if t, refused = parseTarget(r); refused != nil {
		answer.fail(r, refused)
		return
	}
	if h.options.Allowed == nil || !h.options.Allowed(t.host) {
		answer.fail(r, &failure{status: http.StatusForbidden, code: "DENIED", message: "the proxy does not read from " + t.host})
		return
	}
	if r.URL.Query().Has(namespace) {
		answer.Header().Set("OCI-Namespace", t.host)
	}
	// A push waits as the other commands do: what was sent would be lost.
	ctx, ended := h.begin(r.Context())
	if ended == nil {
		answer.fail(r, ending())
		return
	}
	defer ended()
	if t.kind != kindBlobs && t.kind != kindUploads { // these are not read into memory
		var drop func()
		ctx, drop = h.withRoom(ctx, h.readRoom, t.host)
		defer drop()
	}
	ctx, wait, done := h.watched(ctx, t.host, t.kind, reads(r) && t.kind != kindUploads)
	defer done()
	answer.begin = wait.begin
	if err := wait.explain(ctx, h.route(answer, r.WithContext(ctx), t)); err != nil {
		answer.failUnlessGone(r, failureOf(t.kind, err))
	}
}
