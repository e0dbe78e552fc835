// Package doctor looks for what keeps a client of a registry from working: one [Check]
// for each cause, in the order in which causes hide each other. It covers what the
// troubleshooting chapter of the Amazon ECR user guide lists:
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/troubleshooting.html.
//
// A check changes nothing in a registry. Where a permission can only be tried by the
// operation itself, the operation is called such that it must be refused for another
// reason; see [CanPush].
package doctor

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/internal/startup"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

// Status is the result of a check.
type Status string

// The statuses of a check.
const (
	OK      Status = "ok"
	Warning Status = "warning" // works, and may not be what the user wants
	Failed  Status = "failed"  // something is broken
	Skipped Status = "skipped" // does not apply, or what it needs has failed
)

// Finding is what a check found.
type Finding struct {
	Status Status
	Found  string   // one line
	Advice []string // what to do, one step each
}

// Check is one cause of failures.
type Check interface {
	// Run looks for the cause. It returns soon after the context ends.
	Run(ctx context.Context, s *Session) Finding
}

// Subject is the registry or image that is examined.
type Subject struct {
	Host      string        // "" examines this machine alone
	Registry  auth.Registry // of Amazon ECR; the zero value is another registry
	Reference ref.Reference // with a repository, or the zero value
}

// isECR reports whether the subject is in a private registry of Amazon ECR.
func (s Subject) isECR() bool { return s.Registry.Host != "" && !s.Registry.Public }

// scheme returns the URL scheme of the subject's /v2/.
func (s Subject) scheme() string { return auth.Registry{Host: s.Host}.Scheme() }

// Engine is what a docker engine says of itself.
type Engine struct {
	Version, RootDir               string
	HTTPProxy, HTTPSProxy, NoProxy string
}

// Space is what is free in a file system.
type Space struct {
	Bytes uint64
	Full  bool // no inode is free
}

// Options are the world that is examined. All are required, except where noted.
type Options struct {
	Env    startup.Environment
	Now    func() time.Time
	Tokens *auth.Tokens
	// Transport returns the transport for requests of ours, which honors the proxies of
	// Env; base is that of the AWS configuration, nil without one.
	Transport func(base *http.Transport) http.RoundTripper
	// LookupHost resolves a host, as net.Resolver does.
	LookupHost func(ctx context.Context, host string) ([]string, error)
	// LookPath finds a program, as exec.LookPath does.
	LookPath func(name string) (string, error)
	// Command runs a program with a text on stdin and returns its stdout.
	Command func(ctx context.Context, stdin, path string, args ...string) ([]byte, error)
	// Free returns the space of the file system of an existing directory.
	Free func(dir string) (Space, error)
	// CacheDir and TempDir are directories of ours; NoCache is why there is no CacheDir.
	CacheDir, NoCache, TempDir string
	// Engine asks the docker engine.
	Engine func(ctx context.Context) (Engine, error)
	// Open opens the image of another registry than Amazon ECR.
	Open func(ctx context.Context, r ref.Reference) (content.Source, func() error, error)
	// Suggest returns what exists in the place of a missing name, for people.
	Suggest func(missing string, names []string, one, several, command string) string
	// Purpose is what the identity must be able to do: "pull", "push" or "create"; each
	// includes those before it.
	Purpose string
	// Waiting is called when a check takes more than two seconds, with what is left of
	// its time.
	Waiting func(check string, left time.Duration)
}

// Session is one examination. Checks that run at the same time share it.
type Session struct {
	Options
	Subject Subject

	aws   awsSession
	mu    sync.Mutex
	facts facts
}

// facts are what checks found out for those after them.
type facts struct {
	docker    dockerFacts
	engine    Engine
	hosts     []reached
	image     *imageFacts
	scanned   bool // the repository has scan on push
	throttled []string
}

// know changes or reads facts.
func (s *Session) know(f func(*facts)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.facts)
}

// New returns a session about a subject.
func New(o Options, subject Subject) *Session { return &Session{Options: o, Subject: subject} }

// awsSession is the AWS configuration of a session, which is loaded once.
type awsSession struct {
	once sync.Once
	cfg  aws.Config
	err  error
}

func ok(found string) Finding      { return Finding{Status: OK, Found: found} }
func skipped(found string) Finding { return Finding{Status: Skipped, Found: found} }
func warning(found string, advice ...string) Finding {
	return Finding{Status: Warning, Found: found, Advice: advice}
}
func failed(found string, advice ...string) Finding {
	return Finding{Status: Failed, Found: found, Advice: advice}
}
