package localecr_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/smithy-go"
	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/localecr"
)

// A rig is a server, the API's client and the means to call /v2/.
type rig struct {
	t     testing.TB
	srv   *localecr.Server
	api   *ecr.Client
	calls *localecr.Recorder
	token string // password of /v2/
}

// smallParts are limits that let rules about many or small parts be broken with few bytes.
func smallParts() *localecr.Limits {
	l := localecr.DefaultLimits()
	l.PartSize, l.MinPart, l.MaxParts = 1<<10, 512, 4
	return &l
}

func newRig(t testing.TB, o localecr.Options) *rig {
	t.Helper()
	calls := &localecr.Recorder{}
	if o.Audit == nil {
		o.Audit = calls
	}
	srv, err := localecr.New(o)
	if err != nil {
		t.Fatal(err)
	}
	srv.Start(t)
	r := &rig{t: t, srv: srv, calls: calls}
	user := localecr.DefaultAccounts()[0].Users[0]
	r.api = r.client(user.AccessKeyID, user.SecretAccessKey, "", localecr.DefaultRegion)
	r.token = r.login(r.api)
	return r
}

// advance moves the clock. The SDK's client corrects its own by the answers it gets, so it has to
// begin again.
func (r *rig) advance(d time.Duration) {
	r.t.Helper()
	r.srv.Clock().Advance(d)
	user := localecr.DefaultAccounts()[0].Users[0]
	r.api = r.client(user.AccessKeyID, user.SecretAccessKey, "", localecr.DefaultRegion)
}

func (r *rig) client(id, secret, session, region string) *ecr.Client {
	return ecr.New(ecr.Options{
		Region: region, BaseEndpoint: aws.String(r.srv.URL), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(id, secret, session),
	})
}

// login returns the password for /v2/.
func (r *rig) login(c *ecr.Client) string {
	r.t.Helper()
	out, err := c.GetAuthorizationToken(context.Background(), &ecr.GetAuthorizationTokenInput{})
	if err != nil {
		r.t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(*out.AuthorizationData[0].AuthorizationToken)
	if err != nil {
		r.t.Fatal(err)
	}
	return strings.TrimPrefix(string(raw), "AWS:")
}

func (r *rig) repository(name string) {
	r.t.Helper()
	if _, err := r.api.CreateRepository(context.Background(), &ecr.CreateRepositoryInput{RepositoryName: &name}); err != nil {
		r.t.Fatal(err)
	}
}

// A reply is what /v2/ has answered.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// code is that of the first error.
func (r reply) code() string {
	var doc struct {
		Errors []struct{ Code, Message string }
	}
	if json.Unmarshal(r.body, &doc) != nil || len(doc.Errors) == 0 {
		return ""
	}
	return doc.Errors[0].Code + ": " + doc.Errors[0].Message
}

// v2 calls /v2/; headers are pairs. A path may be a whole URL. Redirects are not followed.
func (r *rig) v2(method, path string, body []byte, headers ...string) reply {
	r.t.Helper()
	if !strings.HasPrefix(path, "http") {
		path = r.srv.URL + path
	}
	req, err := http.NewRequest(method, path, bytes.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.SetBasicAuth("AWS", r.token)
	return r.do(req, headers...)
}

func (r *rig) do(req *http.Request, headers ...string) reply {
	r.t.Helper()
	out, err := send(req, headers...)
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

// try is v2 for a server that may be gone.
func (r *rig) try(method, url string, body []byte, headers ...string) (reply, bool) {
	req, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		return reply{}, false
	}
	req.SetBasicAuth("AWS", r.token)
	out, err := send(req, headers...)
	return out, err == nil
}

// send follows no redirects. A header without a value is taken away.
func send(req *http.Request, headers ...string) (reply, error) {
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
		req.Header.Set(headers[i], headers[i+1])
		if headers[i+1] == "" {
			req.Header.Del(headers[i])
		}
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, resp.Header, data}, err
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

func digestOf(b []byte) string { return digest.FromBytes(b).String() }

// start begins an upload through the API.
func (r *rig) start(repo string) *string {
	r.t.Helper()
	out, err := r.api.InitiateLayerUpload(context.Background(), &ecr.InitiateLayerUploadInput{RepositoryName: &repo})
	if err != nil {
		r.t.Fatal(err)
	}
	return out.UploadId
}

func (r *rig) part(repo string, id *string, first int64, data []byte) error {
	_, err := r.api.UploadLayerPart(context.Background(), &ecr.UploadLayerPartInput{
		RepositoryName: &repo, UploadId: id, PartFirstByte: &first, PartLastByte: aws.Int64(first + int64(len(data)) - 1), LayerPartBlob: data,
	})
	return err
}

func (r *rig) complete(repo string, id *string, digest string) error {
	_, err := r.api.CompleteLayerUpload(context.Background(), &ecr.CompleteLayerUploadInput{RepositoryName: &repo, UploadId: id, LayerDigests: []string{digest}})
	return err
}

// layer uploads a layer in one part through the API.
func (r *rig) layer(repo string, data []byte) string {
	r.t.Helper()
	id := r.start(repo)
	if err := r.part(repo, id, 0, data); err != nil {
		r.t.Fatal(err)
	}
	if err := r.complete(repo, id, digestOf(data)); err != nil {
		r.t.Fatal(err)
	}
	return digestOf(data)
}

// layerV2 uploads a layer with POST and PUT.
func (r *rig) layerV2(repo string, data []byte) string {
	r.t.Helper()
	loc := r.startV2(repo)
	if got := r.v2("PUT", loc+"?digest="+digestOf(data), data); got.status != 201 {
		r.t.Fatalf("PUT blob: %d %s", got.status, got.body)
	}
	return digestOf(data)
}

func (r *rig) startV2(repo string) string {
	r.t.Helper()
	got := r.v2("POST", "/v2/"+repo+"/blobs/uploads/", nil)
	if got.status != 202 {
		r.t.Fatalf("POST upload: %d %s", got.status, got.body)
	}
	return got.header.Get("Location")
}

const (
	ociManifest = "application/vnd.oci.image.manifest.v1+json"
	ociIndex    = "application/vnd.oci.image.index.v1+json"
)

// manifest is an OCI manifest of a config and layers whose bytes are given.
func manifest(config []byte, layers ...[]byte) []byte {
	var list []string
	for _, l := range layers {
		list = append(list, fmt.Sprintf(`{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":%q,"size":%d}`, digestOf(l), len(l)))
	}
	return fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q,"size":%d},"layers":[%s]}`,
		ociManifest, digestOf(config), len(config), strings.Join(list, ","))
}

func index(children ...[]byte) []byte {
	var list []string
	for _, c := range children {
		list = append(list, fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d}`, ociManifest, digestOf(c), len(c)))
	}
	return fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"manifests":[%s]}`, ociIndex, strings.Join(list, ","))
}

// image pushes a small image through the API and returns its manifest.
func (r *rig) image(repo string, tag *string) []byte {
	r.t.Helper()
	config, layer := random(40), random(60)
	r.layer(repo, config)
	r.layer(repo, layer)
	m := manifest(config, layer)
	if err := r.put(repo, m, tag); err != nil {
		r.t.Fatal(err)
	}
	return m
}

func (r *rig) put(repo string, m []byte, tag *string) error {
	_, err := r.api.PutImage(context.Background(), &ecr.PutImageInput{RepositoryName: &repo, ImageManifest: aws.String(string(m)), ImageTag: tag})
	return err
}

func (r *rig) putV2(repo, reference string, m []byte) reply {
	r.t.Helper()
	var doc struct{ MediaType string }
	_ = json.Unmarshal(m, &doc)
	return r.v2("PUT", "/v2/"+repo+"/manifests/"+reference, m, "Content-Type", doc.MediaType)
}

func (r *rig) setMutability(repo string, mode types.ImageTagMutability, filters ...string) {
	r.t.Helper()
	in := &ecr.PutImageTagMutabilityInput{RepositoryName: &repo, ImageTagMutability: mode}
	for _, f := range filters {
		in.ImageTagMutabilityExclusionFilters = append(in.ImageTagMutabilityExclusionFilters,
			types.ImageTagMutabilityExclusionFilter{Filter: aws.String(f), FilterType: types.ImageTagMutabilityExclusionFilterTypeWildcard})
	}
	if _, err := r.api.PutImageTagMutability(context.Background(), in); err != nil {
		r.t.Fatal(err)
	}
}

// wantError checks an error of the API: its code, and a part of its message.
func wantError(t testing.TB, err error, code, message string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) {
		t.Fatalf("got %v, want %s", err, code)
	}
	if api.ErrorCode() != code || !strings.Contains(api.ErrorMessage(), message) {
		t.Fatalf("got %s: %s\nwant %s: …%s…", api.ErrorCode(), api.ErrorMessage(), code, message)
	}
}

// wantReply checks an error of /v2/: its status, code and a part of its message.
func wantReply(t testing.TB, got reply, status int, code, message string) {
	t.Helper()
	if got.status != status || !strings.HasPrefix(got.code(), code+": ") || !strings.Contains(got.code(), message) {
		t.Fatalf("got %d %s\nwant %d %s: …%s…", got.status, got.body, status, code, message)
	}
}

func kmsEncryption() *types.EncryptionConfiguration {
	return &types.EncryptionConfiguration{EncryptionType: types.EncryptionTypeKms}
}

func referrersOf(m []byte, most *int32) *ecr.ListImageReferrersInput {
	return &ecr.ListImageReferrersInput{RepositoryName: aws.String("app"), SubjectId: &types.SubjectIdentifier{ImageDigest: aws.String(digestOf(m))}, MaxResults: most}
}

func ptr[T any](v T) *T { return &v }
