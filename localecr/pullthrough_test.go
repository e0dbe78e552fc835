package localecr_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	images "github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/ecrkit/ecrkit/localecr"
)

const hubSecret = "arn:aws:secretsmanager:us-east-1:000000000000:secret:ecr-pullthroughcache/hub-AbCdEf"

// A hub is an upstream registry that can refuse, and that counts how often manifests are read.
type hub struct {
	*httptest.Server
	t         *testing.T
	status    atomic.Int32 // what it answers to everything, 0 for what it has
	manifests atomic.Int32
	password  string
	hold      chan struct{} // if set, a request for the tag "slow" is announced and waits here
}

func newHub(t *testing.T) *hub {
	h := &hub{t: t, password: "token"}
	serve := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		switch status := int(h.status.Load()); {
		case status != 0:
			w.WriteHeader(status)
		case r.Method != http.MethodPut && r.Method != http.MethodPost && r.Method != http.MethodPatch && r.Method != http.MethodHead && (user != "alice" || password != h.password):
			w.Header().Set("WWW-Authenticate", `Basic realm="hub"`)
			w.WriteHeader(http.StatusUnauthorized)
		default:
			if h.hold != nil && strings.HasSuffix(r.URL.Path, "/manifests/slow") {
				h.hold <- struct{}{}
				<-h.hold
			}
			if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/manifests/") {
				h.manifests.Add(1)
			}
			serve.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(h.Close)
	return h
}

// push stores an index of two images, and returns it.
func (h *hub) push(reference string) v1.ImageIndex {
	h.t.Helper()
	idx, err := images.Index(100, 1, 2)
	if err != nil {
		h.t.Fatal(err)
	}
	ref, err := name.ParseReference(strings.TrimPrefix(h.URL, "http://") + "/" + reference)
	if err != nil {
		h.t.Fatal(err)
	}
	if err := remote.WriteIndex(ref, idx); err != nil {
		h.t.Fatal(err)
	}
	return idx
}

func (h *hub) upstreams() localecr.Upstreams {
	return localecr.Upstreams{
		Hosts:   map[string]string{"registry-1.docker.io": h.URL},
		Secrets: map[string]localecr.UpstreamSecret{hubSecret: {Username: "alice", AccessToken: "token"}},
	}
}

func (r *rig) cacheRule(in ecr.CreatePullThroughCacheRuleInput) error {
	_, err := r.api.CreatePullThroughCacheRule(context.Background(), &in)
	return err
}

// hubRule caches Docker Hub below hub/.
func (r *rig) hubRule() {
	r.t.Helper()
	err := r.cacheRule(ecr.CreatePullThroughCacheRuleInput{EcrRepositoryPrefix: aws.String("hub"), UpstreamRegistryUrl: aws.String("registry-1.docker.io"), CredentialArn: aws.String(hubSecret)})
	if err != nil {
		r.t.Fatal(err)
	}
}

func digestAndBytes(t *testing.T, idx v1.ImageIndex) (digest string, data string) {
	t.Helper()
	hash, err := idx.Digest()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := idx.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	return hash.String(), string(raw)
}

func TestPullThroughCache(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	r, ctx := newRig(t, localecr.Options{Upstreams: h.upstreams()}), context.Background()
	err := r.template(ecr.CreateRepositoryCreationTemplateInput{Prefix: aws.String("hub"), AppliedFor: []types.RCTAppliedFor{types.RCTAppliedForPullThroughCache}, Description: aws.String("d"),
		ImageTagMutability: types.ImageTagMutabilityMutableWithExclusion, ImageTagMutabilityExclusionFilters: []types.ImageTagMutabilityExclusionFilter{{Filter: aws.String("v*"), FilterType: types.ImageTagMutabilityExclusionFilterTypeWildcard}}})
	if err != nil {
		t.Fatal(err)
	}
	r.hubRule()
	first, data := digestAndBytes(t, h.push("library/app:1.0"))
	get := func() reply {
		t.Helper()
		return r.v2(http.MethodGet, "/v2/hub/library/app/manifests/1.0", nil)
	}
	if got := get(); got.status != 200 || string(got.body) != data {
		t.Fatalf("%d %s", got.status, got.body)
	}
	// The images of the index and their layers have come along, and the repository is that of the template.
	if got := r.images(r.api, "hub/library/app"); len(got) != 3 || got[first] != "1.0" {
		t.Errorf("%v", got)
	}
	for digest := range r.images(r.api, "hub/library/app") {
		out := r.v2(http.MethodGet, "/v2/hub/library/app/manifests/"+digest, nil)
		for _, layer := range layersOf(t, out.body) {
			if got := r.v2(http.MethodGet, "/v2/hub/library/app/blobs/"+layer, nil); got.status != http.StatusTemporaryRedirect {
				t.Errorf("layer %s: %d %s", layer, got.status, got.code())
			}
		}
	}
	repos, err := r.api.DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{})
	if err != nil || len(repos.Repositories) != 1 || repos.Repositories[0].ImageTagMutability != types.ImageTagMutabilityMutableWithExclusion {
		t.Errorf("%+v, %v", repos, err)
	}
	// For 24 hours the upstream registry is not asked about the tag again.
	asked := h.manifests.Load()
	second, _ := digestAndBytes(t, h.push("library/app:1.0"))
	r.advance(23 * time.Hour)
	r.token = r.login(r.api)
	if got := get(); string(got.body) != data || h.manifests.Load() != asked {
		t.Errorf("within 24 hours: %d requests more", h.manifests.Load()-asked)
	}
	r.advance(2 * time.Hour)
	r.token = r.login(r.api)
	if got := get(); digestOf(got.body) != second {
		t.Errorf("after 24 hours: %d %s", got.status, got.body)
	}
	if got := r.images(r.api, "hub/library/app"); got[first] != "" || got[second] != "1.0" {
		t.Errorf("%v", got)
	}
	// What is cached is served when the upstream registry refuses, or has the tag no longer.
	for _, status := range []int{http.StatusInternalServerError, http.StatusTooManyRequests, http.StatusForbidden, http.StatusNotFound} {
		h.status.Store(int32(status))
		r.advance(25 * time.Hour)
		r.token = r.login(r.api)
		if got := get(); got.status != 200 || digestOf(got.body) != second {
			t.Errorf("upstream answers %d: %d %s", status, got.status, got.body)
		}
	}
	// An immutable tag stays.
	h.status.Store(0)
	kept, _ := digestAndBytes(t, h.push("library/app:v1"))
	if got := r.v2(http.MethodGet, "/v2/hub/library/app/manifests/v1", nil); digestOf(got.body) != kept {
		t.Errorf("%d %s", got.status, got.body)
	}
	h.push("library/app:v1")
	r.advance(25 * time.Hour)
	r.token = r.login(r.api)
	if got := r.v2(http.MethodGet, "/v2/hub/library/app/manifests/v1", nil); digestOf(got.body) != kept {
		t.Errorf("an immutable tag moved: %d %s", got.status, got.body)
	}
}

func TestPullThroughCacheByDigest(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	r, ctx := newRig(t, localecr.Options{Upstreams: h.upstreams()}), context.Background()
	r.hubRule()
	digest, data := digestAndBytes(t, h.push("library/app:1.0"))
	out, err := r.api.BatchGetImage(ctx, &ecr.BatchGetImageInput{RepositoryName: aws.String("hub/library/app"), ImageIds: []types.ImageIdentifier{{ImageDigest: &digest}}})
	if err != nil || len(out.Images) != 1 || *out.Images[0].ImageManifest != data {
		t.Fatalf("%+v, %v", out, err)
	}
	if got := r.images(r.api, "hub/library/app"); len(got) != 3 || got[digest] != "" {
		t.Errorf("%v", got)
	}
	// A layer of the cache cannot be mounted: the client uploads it.
	if _, err := r.api.PutAccountSetting(ctx, &ecr.PutAccountSettingInput{Name: aws.String("BLOB_MOUNTING"), Value: aws.String("ENABLED")}); err != nil {
		t.Fatal(err)
	}
	r.repository("own")
	for image := range r.images(r.api, "hub/library/app") {
		for _, layer := range layersOf(t, r.v2(http.MethodGet, "/v2/hub/library/app/manifests/"+image, nil).body) {
			if got := r.v2(http.MethodPost, "/v2/own/blobs/uploads/?mount="+layer+"&from=hub/library/app", nil); got.status != http.StatusAccepted {
				t.Errorf("mount of a layer of the cache: %d", got.status)
			}
		}
	}
	h.status.Store(http.StatusInternalServerError)
	if got := r.v2(http.MethodHead, "/v2/hub/library/app/manifests/"+digest, nil); got.status != 200 {
		t.Error("the second time:", got.status)
	}
}

func TestPullThroughCacheErrors(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	r, ctx := newRig(t, localecr.Options{Upstreams: h.upstreams()}), context.Background()
	r.hubRule()
	h.push("library/app:1.0")
	api := func() (*ecr.BatchGetImageOutput, error) {
		return r.api.BatchGetImage(ctx, &ecr.BatchGetImageInput{RepositoryName: aws.String("hub/library/app"), ImageIds: []types.ImageIdentifier{{ImageTag: aws.String("1.0")}}})
	}
	for _, c := range []struct {
		upstream int
		code     types.ImageFailureCode
		status   int
		v2       string
	}{
		{http.StatusUnauthorized, types.ImageFailureCodeUpstreamAccessDenied, http.StatusForbidden, "DENIED"},
		{http.StatusForbidden, types.ImageFailureCodeUpstreamAccessDenied, http.StatusForbidden, "DENIED"},
		{http.StatusTooManyRequests, types.ImageFailureCodeUpstreamTooManyRequests, http.StatusTooManyRequests, "TOOMANYREQUESTS"},
		{http.StatusBadGateway, types.ImageFailureCodeUpstreamUnavailable, http.StatusServiceUnavailable, "UNAVAILABLE"},
	} {
		h.status.Store(int32(c.upstream))
		out, err := api()
		if err != nil || len(out.Images) != 0 || len(out.Failures) != 1 || out.Failures[0].FailureCode != c.code || *out.Failures[0].ImageId.ImageTag != "1.0" {
			t.Errorf("%d: %+v, %v", c.upstream, out, err)
		}
		wantReply(t, r.v2(http.MethodGet, "/v2/hub/library/app/manifests/1.0", nil), c.status, c.v2, "")
	}
	h.status.Store(0)
	_, err := r.api.BatchGetImage(ctx, &ecr.BatchGetImageInput{RepositoryName: aws.String("hub/library/none"), ImageIds: []types.ImageIdentifier{{ImageTag: aws.String("1.0")}}})
	wantError(t, err, "RepositoryNotFoundException", "hub/library/none")
	wantReply(t, r.v2(http.MethodGet, "/v2/hub/library/none/manifests/1.0", nil), 404, "NAME_UNKNOWN", "hub/library/none")
	if err := describe(r.api, "hub/library/app"); err == nil {
		t.Error("a failed pull has created the repository")
	}
	// One image that exists, one that does not.
	out, err := r.api.BatchGetImage(ctx, &ecr.BatchGetImageInput{RepositoryName: aws.String("hub/library/app"), ImageIds: []types.ImageIdentifier{{ImageTag: aws.String("1.0")}, {ImageTag: aws.String("none")}}})
	if err != nil || len(out.Images) != 1 || len(out.Failures) != 1 || out.Failures[0].FailureCode != types.ImageFailureCodeImageNotFound {
		t.Errorf("%+v, %v", out, err)
	}
	wantReply(t, r.v2(http.MethodGet, "/v2/hub/library/app/manifests/none", nil), 404, "MANIFEST_UNKNOWN", "none")
	// A name that no rule is for, and one that is the prefix itself.
	_, err = r.api.BatchGetImage(ctx, &ecr.BatchGetImageInput{RepositoryName: aws.String("hub"), ImageIds: []types.ImageIdentifier{{ImageTag: aws.String("1.0")}}})
	wantError(t, err, "RepositoryNotFoundException", "hub")
	h.Close()
	r.advance(25 * time.Hour)
	if out, err = api(); err != nil || len(out.Images) != 1 {
		t.Errorf("the upstream registry has gone: %+v, %v", out, err)
	}
}

// TestPullThroughCacheAtOnce has eight clients pull the same image for the first time.
func TestPullThroughCacheAtOnce(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	r := newRig(t, localecr.Options{Upstreams: h.upstreams()})
	r.hubRule()
	h.push("library/app:1.0")
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			if got, ok := r.try(http.MethodGet, r.srv.URL+"/v2/hub/library/app/manifests/1.0", nil); !ok || got.status != 200 {
				t.Errorf("%d %s", got.status, got.body)
			}
		})
	}
	clients.Wait()
	if n := h.manifests.Load(); n != 3 {
		t.Errorf("%d manifests were read, want the index and its two images once", n)
	}
}

// TestPullThroughCacheServesWhileItImports pulls a cached image while another one of its repository is on its way.
func TestPullThroughCacheServesWhileItImports(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	r := newRig(t, localecr.Options{Upstreams: h.upstreams()})
	r.hubRule()
	h.push("library/app:1.0")
	h.push("library/app:slow")
	if got := r.v2(http.MethodGet, "/v2/hub/library/app/manifests/1.0", nil); got.status != 200 {
		t.Fatal(got.status)
	}
	h.hold = make(chan struct{})
	slow := make(chan int)
	go func() {
		got, _ := r.try(http.MethodGet, r.srv.URL+"/v2/hub/library/app/manifests/slow", nil)
		slow <- got.status
	}()
	<-h.hold
	if got := r.v2(http.MethodGet, "/v2/hub/library/app/manifests/1.0", nil); got.status != 200 {
		t.Error(got.status)
	}
	h.hold <- struct{}{}
	if status := <-slow; status != 200 {
		t.Error(status)
	}
}

func TestPullThroughCacheRules(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	r, ctx := newRig(t, localecr.Options{Upstreams: h.upstreams()}), context.Background()
	role := aws.String("arn:aws:iam::000000000000:role/ecrkit")
	for want, in := range map[string]ecr.CreatePullThroughCacheRuleInput{
		"InvalidParameterException ecrRepositoryPrefix":             {EcrRepositoryPrefix: aws.String("A"), UpstreamRegistryUrl: aws.String("quay.io")},
		"InvalidParameterException between 2 and 30":                {EcrRepositoryPrefix: aws.String(strings.Repeat("a", 31)), UpstreamRegistryUrl: aws.String("quay.io")},
		"InvalidParameterException upstreamRegistryUrl":             {EcrRepositoryPrefix: aws.String("quay"), UpstreamRegistryUrl: aws.String("https://quay.io/")},
		"InvalidParameterException must be quay":                    {EcrRepositoryPrefix: aws.String("quay"), UpstreamRegistryUrl: aws.String("quay.io"), UpstreamRegistry: types.UpstreamRegistryK8s},
		"InvalidParameterException must be one of":                  {EcrRepositoryPrefix: aws.String("quay"), UpstreamRegistryUrl: aws.String("quay.io"), UpstreamRegistry: "other"},
		"InvalidParameterException upstreamRepositoryPrefix":        {EcrRepositoryPrefix: aws.String("quay"), UpstreamRegistryUrl: aws.String("quay.io"), UpstreamRepositoryPrefix: aws.String("-")},
		"InvalidParameterException credentialArn":                   {EcrRepositoryPrefix: aws.String("hub"), UpstreamRegistryUrl: aws.String("registry-1.docker.io")},
		"InvalidParameterException github-container-registry":       {EcrRepositoryPrefix: aws.String("hub"), UpstreamRegistryUrl: aws.String("ghcr.io")},
		"InvalidParameterException azure-container-registry":        {EcrRepositoryPrefix: aws.String("hub"), UpstreamRegistryUrl: aws.String("me.azurecr.io")},
		"InvalidParameterException regular expression":              {EcrRepositoryPrefix: aws.String("hub"), UpstreamRegistryUrl: aws.String("quay.io"), CredentialArn: aws.String(strings.Replace(hubSecret, "ecr-pullthroughcache", "other", 1))},
		"SecretNotFoundException secret:ecr-pullthroughcache/none":  {EcrRepositoryPrefix: aws.String("hub"), UpstreamRegistryUrl: aws.String("registry-1.docker.io"), CredentialArn: aws.String(strings.Replace(hubSecret, "hub", "none", 1))},
		"UnsupportedUpstreamRegistryException registry.example.com": {EcrRepositoryPrefix: aws.String("other"), UpstreamRegistryUrl: aws.String("registry.example.com")},
		"InvalidParameterException customRoleArn":                   {EcrRepositoryPrefix: aws.String("quay"), UpstreamRegistryUrl: aws.String("quay.io"), CustomRoleArn: role},
		"InvalidParameterException account of the registry":         {EcrRepositoryPrefix: aws.String("ecr"), UpstreamRegistryUrl: aws.String("111111111111.dkr.ecr.us-east-1.amazonaws.com"), CustomRoleArn: aws.String("arn:aws:iam::111111111111:role/ecrkit")},
	} {
		code, text, _ := strings.Cut(want, " ")
		wantError(t, r.cacheRule(in), code, text)
	}
	r.hubRule()
	wantError(t, r.cacheRule(ecr.CreatePullThroughCacheRuleInput{EcrRepositoryPrefix: aws.String("hub/"), UpstreamRegistryUrl: aws.String("quay.io")}), "PullThroughCacheRuleAlreadyExistsException", "hub")
	created, err := r.api.CreatePullThroughCacheRule(ctx, &ecr.CreatePullThroughCacheRuleInput{EcrRepositoryPrefix: aws.String("ecr"), UpstreamRegistryUrl: aws.String("111111111111.dkr.ecr.us-east-1.amazonaws.com"), UpstreamRepositoryPrefix: aws.String("prod"), CustomRoleArn: role})
	if err != nil || created.UpstreamRegistry != types.UpstreamRegistryEcr || *created.UpstreamRepositoryPrefix != "prod" || created.CreatedAt == nil || *created.RegistryId != "000000000000" {
		t.Errorf("%+v, %v", created, err)
	}
	page, err := r.api.DescribePullThroughCacheRules(ctx, &ecr.DescribePullThroughCacheRulesInput{MaxResults: aws.Int32(1)})
	if err != nil || len(page.PullThroughCacheRules) != 1 || *page.PullThroughCacheRules[0].EcrRepositoryPrefix != "ecr" || page.NextToken == nil {
		t.Fatalf("%+v, %v", page, err)
	}
	page, err = r.api.DescribePullThroughCacheRules(ctx, &ecr.DescribePullThroughCacheRulesInput{NextToken: page.NextToken})
	if err != nil || len(page.PullThroughCacheRules) != 1 || page.NextToken != nil || page.PullThroughCacheRules[0].UpstreamRegistry != types.UpstreamRegistryDockerHub || *page.PullThroughCacheRules[0].UpstreamRepositoryPrefix != "ROOT" {
		t.Errorf("%+v, %v", page, err)
	}
	_, err = r.api.DescribePullThroughCacheRules(ctx, &ecr.DescribePullThroughCacheRulesInput{EcrRepositoryPrefixes: []string{"none"}})
	wantError(t, err, "PullThroughCacheRuleNotFoundException", "none")
	r.advance(time.Hour)
	updated, err := r.api.UpdatePullThroughCacheRule(ctx, &ecr.UpdatePullThroughCacheRuleInput{EcrRepositoryPrefix: aws.String("hub"), CredentialArn: aws.String(hubSecret)})
	if err != nil || !updated.UpdatedAt.After(*page.PullThroughCacheRules[0].UpdatedAt) {
		t.Errorf("%+v, %v", updated, err)
	}
	_, err = r.api.UpdatePullThroughCacheRule(ctx, &ecr.UpdatePullThroughCacheRuleInput{EcrRepositoryPrefix: aws.String("hub")})
	wantError(t, err, "InvalidParameterException", "credentialArn")
	_, err = r.api.UpdatePullThroughCacheRule(ctx, &ecr.UpdatePullThroughCacheRuleInput{EcrRepositoryPrefix: aws.String("none"), CredentialArn: aws.String(hubSecret)})
	wantError(t, err, "PullThroughCacheRuleNotFoundException", "none")
	deleted, err := r.api.DeletePullThroughCacheRule(ctx, &ecr.DeletePullThroughCacheRuleInput{EcrRepositoryPrefix: aws.String("ecr")})
	if err != nil || *deleted.UpstreamRepositoryPrefix != "prod" {
		t.Errorf("%+v, %v", deleted, err)
	}
	_, err = r.api.DeletePullThroughCacheRule(ctx, &ecr.DeletePullThroughCacheRuleInput{EcrRepositoryPrefix: aws.String("ecr")})
	wantError(t, err, "PullThroughCacheRuleNotFoundException", "ecr")
	for i := range 49 {
		if err := r.cacheRule(ecr.CreatePullThroughCacheRuleInput{EcrRepositoryPrefix: aws.String(fmt.Sprint("quay", i)), UpstreamRegistryUrl: aws.String("quay.io")}); err != nil {
			t.Fatal(err)
		}
	}
	wantError(t, r.cacheRule(ecr.CreatePullThroughCacheRuleInput{EcrRepositoryPrefix: aws.String("one-more"), UpstreamRegistryUrl: aws.String("quay.io")}), "LimitExceededException", "50")
}

func TestValidatePullThroughCacheRule(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	r := newRig(t, localecr.Options{Upstreams: h.upstreams()})
	r.hubRule()
	validate := func() *ecr.ValidatePullThroughCacheRuleOutput {
		t.Helper()
		out, err := r.api.ValidatePullThroughCacheRule(context.Background(), &ecr.ValidatePullThroughCacheRuleInput{EcrRepositoryPrefix: aws.String("hub")})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if out := validate(); !out.IsValid || out.Failure != nil || *out.CredentialArn != hubSecret || *out.UpstreamRegistryUrl != "registry-1.docker.io" {
		t.Errorf("%+v", out)
	}
	h.password = "changed"
	if out := validate(); out.IsValid || !strings.Contains(*out.Failure, "denies access") || strings.Contains(*out.Failure, "token") {
		t.Errorf("%+v", *out.Failure)
	}
	h.Close()
	if out := validate(); out.IsValid || out.Failure == nil {
		t.Errorf("%+v", out)
	}
	_, err := r.api.ValidatePullThroughCacheRule(context.Background(), &ecr.ValidatePullThroughCacheRuleInput{EcrRepositoryPrefix: aws.String("none")})
	wantError(t, err, "PullThroughCacheRuleNotFoundException", "none")
}

// TestPullThroughCacheOfAnotherLocalECR reads from a second server, with an authorization token as its secret.
func TestPullThroughCacheOfAnotherLocalECR(t *testing.T) {
	t.Parallel()
	upstream := newRig(t, localecr.Options{})
	upstream.repository("team/app")
	m := upstream.image("team/app", aws.String("1.0"))
	r := newRig(t, localecr.Options{Upstreams: localecr.Upstreams{Secrets: map[string]localecr.UpstreamSecret{hubSecret: {Username: "AWS", AccessToken: upstream.token}}}})
	err := r.cacheRule(ecr.CreatePullThroughCacheRuleInput{EcrRepositoryPrefix: aws.String("ROOT"), UpstreamRegistryUrl: aws.String(upstream.srv.Registry), UpstreamRepositoryPrefix: aws.String("team"), CredentialArn: aws.String(hubSecret)})
	if err != nil {
		t.Fatal(err)
	}
	if got := r.v2(http.MethodGet, "/v2/app/manifests/1.0", nil); got.status != 200 || string(got.body) != string(m) {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := r.images(r.api, "app"); len(got) != 1 || got[digestOf(m)] != "1.0" {
		t.Errorf("%v", got)
	}
}

// TestPullThroughCacheOfAnotherRegion reads from a registry of the same server.
func TestPullThroughCacheOfAnotherRegion(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	user := localecr.DefaultAccounts()[0].Users[0]
	near := r.api
	r.api = r.in(user, far)
	r.repository("app")
	m := r.image("app", aws.String("1.0"))
	r.api = near
	for prefix, host := range map[string]string{"far": "000000000000.dkr.ecr." + far + ".amazonaws.com", "local": "000000000000.dkr.ecr." + far + ".localhost:" + r.srv.Registry[strings.LastIndex(r.srv.Registry, ":")+1:]} {
		if err := r.cacheRule(ecr.CreatePullThroughCacheRuleInput{EcrRepositoryPrefix: &prefix, UpstreamRegistryUrl: &host}); err != nil {
			t.Fatal(err)
		}
		if got := r.v2(http.MethodGet, "/v2/"+prefix+"/app/manifests/1.0", nil); got.status != 200 || string(got.body) != string(m) {
			t.Errorf("%s: %d %s", prefix, got.status, got.body)
		}
	}
}

// TestPullThroughCachePermissions reads from another account with a role, and has the caller need permissions of its own.
func TestPullThroughCachePermissions(t *testing.T) {
	t.Parallel()
	cache := policyOf("Allow", `"ecr:BatchGetImage"`, `"*"`)
	admin := userNamed("admin", policyOf("Allow", `"*"`, `"*"`))
	users := []localecr.User{admin, userNamed("none", mayLogIn, cache), userNamed("import", mayLogIn, cache, policyOf("Allow", `"ecr:BatchImportUpstreamImage"`, `"*"`)), userNamed("all", mayLogIn, cache, policyOf("Allow", `"ecr:BatchImportUpstreamImage","ecr:CreateRepository"`, `"*"`))}
	carol := userNamed("carol")
	role := "arn:aws:iam::" + ourAccount + ":role/cache"
	srv, err := localecr.New(localecr.Options{Accounts: []localecr.Account{
		{ID: ourAccount, Users: users, Roles: []localecr.Role{{Name: "cache", Policies: []localecr.Policy{policyOf("Allow", `"ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"`, `"*"`)}}}},
		{ID: theirAccount, Users: []localecr.User{carol}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start(t)
	r := &rig{t: t, srv: srv}
	r.api = r.in(carol, localecr.DefaultRegion)
	r.repository("app")
	m := r.image("app", aws.String("1.0"))
	allow := func(text string) {
		t.Helper()
		if _, err := r.in(carol, localecr.DefaultRegion).SetRepositoryPolicy(context.Background(), &ecr.SetRepositoryPolicyInput{RepositoryName: aws.String("app"), PolicyText: &text}); err != nil {
			t.Fatal(err)
		}
	}
	r.api = r.in(admin, localecr.DefaultRegion)
	err = r.cacheRule(ecr.CreatePullThroughCacheRuleInput{EcrRepositoryPrefix: aws.String("theirs"), UpstreamRegistryUrl: aws.String(theirAccount + ".dkr.ecr.us-east-1.amazonaws.com"), CustomRoleArn: &role})
	if err != nil {
		t.Fatal(err)
	}
	get := func(user localecr.User) reply {
		t.Helper()
		r.token = r.login(r.in(user, localecr.DefaultRegion))
		return r.v2(http.MethodGet, "/v2/theirs/app/manifests/1.0", nil)
	}
	wantReply(t, get(users[1]), 403, "DENIED", "user/none is not authorized to perform: ecr:BatchImportUpstreamImage on resource: arn:aws:ecr:us-east-1:"+ourAccount+":repository/theirs/app ")
	wantReply(t, get(users[2]), 403, "DENIED", "user/import is not authorized to perform: ecr:CreateRepository")
	wantReply(t, get(users[3]), 403, "DENIED", "the upstream registry denies access")
	allow(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + role + `"},"Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"]}]}`)
	if got := get(users[3]); got.status != 200 || string(got.body) != string(m) {
		t.Errorf("%d %s", got.status, got.body)
	}
	// What is cached needs no permission to import.
	if got := get(users[1]); got.status != 200 {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestReadUpstreams(t *testing.T) {
	t.Parallel()
	const good = "hosts:\n  registry-1.docker.io: http://127.0.0.1:5000\nsecrets:\n  " + hubSecret + ": {username: a, accessToken: b}\n"
	u, err := localecr.ReadUpstreams(strings.NewReader(good))
	if err != nil || u.Hosts["registry-1.docker.io"] != "http://127.0.0.1:5000" || u.Secrets[hubSecret].AccessToken != "b" {
		t.Errorf("%+v, %v", u, err)
	}
	for _, bad := range []string{"host: {}", "hosts: {a: '127.0.0.1:5000'}", "hosts: {a: 'http://127.0.0.1/path'}", "hosts: {a: 'http://u:p@127.0.0.1'}", "secrets: {a: {username: a}}", "secrets: {a: {password: b}}"} {
		if _, err := localecr.ReadUpstreams(strings.NewReader(bad)); err == nil || strings.Contains(err.Error(), "u:p") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
