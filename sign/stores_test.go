package sign

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/sigstore/sigstore/pkg/signature"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	ecrrepo "github.com/ecrkit/ecrkit/transfer/ecr"
	ourlayout "github.com/ecrkit/ecrkit/transfer/layout"
	ourregistry "github.com/ecrkit/ecrkit/transfer/registry"
)

// taggedStore is a store that lists its tags.
type taggedStore interface {
	Store
	content.TagLister
}

var (
	_ taggedStore = (*ecrrepo.Repository)(nil)
	_ taggedStore = (*ourregistry.Repository)(nil)
	_ taggedStore = (*ourlayout.Layout)(nil)
)

// testStores are all kinds of store, each empty.
func testStores(t *testing.T) map[string]taggedStore {
	t.Helper()
	return map[string]taggedStore{
		"ecr":               newTestECR(t).repository(t, types.ImageTagMutabilityMutable),
		"referrers":         newTestRegistry(t, nil, registry.WithReferrersSupport(true)),
		"without referrers": newTestRegistry(t, nil),
		"layout":            ourlayout.New(filepath.Join(t.TempDir(), "layout")),
	}
}

// testECR is a local ECR.
type testECR struct {
	server   *localecr.Server
	calls    *localecr.Recorder
	registry auth.Registry
	cfg      aws.Config
}

func newTestECR(t *testing.T) testECR {
	t.Helper()
	calls := &localecr.Recorder{}
	server, err := localecr.New(localecr.Options{Audit: calls})
	check(t, err)
	server.Start(t)
	none := filepath.Join(t.TempDir(), "none")
	environment := append(server.Env(), "AWS_CONFIG_FILE="+none, "AWS_SHARED_CREDENTIALS_FILE="+none, "AWS_PROFILE=", "AWS_SESSION_TOKEN=", "AWS_CA_BUNDLE=")
	for _, e := range environment {
		key, value, _ := strings.Cut(e, "=")
		t.Setenv(key, value)
	}
	mapping, err := auth.ParseMapping(os.Getenv(auth.MappingVariable))
	check(t, err)
	r, err := auth.ParseRegistry(server.Registry, mapping)
	check(t, err)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	cfg, err := auth.AWS{HTTPClient: &http.Client{Transport: transport}}.Config(t.Context(), r)
	check(t, err)
	return testECR{server, calls, r, cfg}
}

// repository makes the repository "app"; exclusions are patterns of tags that are
// not immutable, or not mutable, as the others.
func (e testECR) repository(t *testing.T, mutability types.ImageTagMutability, exclusions ...string) *ecrrepo.Repository {
	t.Helper()
	in := &ecr.CreateRepositoryInput{RepositoryName: new("app"), ImageTagMutability: mutability}
	for _, filter := range exclusions {
		in.ImageTagMutabilityExclusionFilters = append(in.ImageTagMutabilityExclusionFilters, types.ImageTagMutabilityExclusionFilter{
			Filter: &filter, FilterType: types.ImageTagMutabilityExclusionFilterTypeWildcard,
		})
	}
	_, err := auth.NewClient(e.cfg, e.registry).CreateRepository(t.Context(), in)
	check(t, err)
	e.calls.Reset()
	return ecrrepo.New(e.cfg, e.registry, "app")
}

// newTestRegistry returns the repository "app" of a registry by code that is not ours.
// before may answer a request itself, and then returns true.
func newTestRegistry(t *testing.T, before func(http.ResponseWriter, *http.Request) bool, options ...registry.Option) *ourregistry.Repository {
	t.Helper()
	handler := registry.New(append(options, registry.Logger(log.New(io.Discard, "", 0)))...)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if before == nil || !before(w, r) {
			handler.ServeHTTP(w, r)
		}
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // https is tried too
	server.Start()
	t.Cleanup(server.Close)
	return openTestRegistry(t, strings.TrimPrefix(server.URL, "http://"))
}

func openTestRegistry(t *testing.T, host string) *ourregistry.Repository {
	t.Helper()
	transport := ourregistry.NewTransport()
	t.Cleanup(transport.CloseIdleConnections)
	r, err := ourregistry.New(host, "app", ourregistry.Options{Transport: transport})
	check(t, err)
	return r
}

// push stores an index of images, by code that is not ours, under the tag "1".
func push(t *testing.T, store Store, images int) content.Manifest {
	t.Helper()
	index, err := random.Index(100, 1, int64(images))
	check(t, err)
	dir := filepath.Join(t.TempDir(), "src")
	empty, err := random.Index(0, 0, 0)
	check(t, err)
	p, err := layout.Write(dir, empty)
	check(t, err)
	check(t, p.AppendIndex(index))
	_, err = transfer.Copy(t.Context(), ourlayout.New(dir), store, transfer.Options{Tags: []string{"1"}})
	check(t, err)
	return resolve(t, store, "1")
}

func resolve(t *testing.T, store Store, tag string) content.Manifest {
	t.Helper()
	m, err := store.Resolve(t.Context(), tag)
	check(t, err)
	return m
}

// countingSigner counts what is asked of a key, and can refuse to sign.
type countingSigner struct {
	signature.SignerVerifier
	publicKeys, signs atomic.Int64
	refuseFrom        int64 // the first call of SignMessage that fails; 0 is none
}

func (s *countingSigner) PublicKey(opts ...signature.PublicKeyOption) (crypto.PublicKey, error) {
	s.publicKeys.Add(1)
	return s.SignerVerifier.PublicKey(opts...)
}

func (s *countingSigner) SignMessage(message io.Reader, opts ...signature.SignOption) ([]byte, error) {
	if n := s.signs.Add(1); s.refuseFrom > 0 && n >= s.refuseFrom {
		return nil, fmt.Errorf("the key is disabled")
	}
	return s.SignerVerifier.SignMessage(message, opts...)
}

func newTestSigner(t *testing.T, name string) (*Signer, *countingSigner) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	sv, err := signature.LoadECDSASignerVerifier(key, crypto.SHA256)
	check(t, err)
	counting := &countingSigner{SignerVerifier: sv}
	signer, err := NewSigner(t.Context(), name, counting)
	check(t, err)
	return signer, counting
}

// at is a clock that stands still.
func at() time.Time { return time.Date(2026, 11, 21, 20, 42, 33, 5, time.FixedZone("", 3600)) }

// mustSign signs and fails the test on an error.
func mustSign(t *testing.T, store Store, m content.Manifest, signer *Signer, opts Options) []Signed {
	t.Helper()
	if opts.Now == nil {
		opts.Now = at
	}
	opts.pause = time.Millisecond // nobody else signs
	if _, ok := store.(*ourlayout.Layout); ok && slices.Contains(opts.Formats, FormatLegacy) {
		opts.Repository = "registry.example.com/app"
	}
	signed, err := Sign(t.Context(), store, m, signer, opts)
	check(t, err)
	return signed
}

// blobOf reads a blob.
func blobOf(t *testing.T, store Store, d content.Descriptor) []byte {
	t.Helper()
	data, err := readBlob(context.Background(), store, d)
	check(t, err)
	return data
}
