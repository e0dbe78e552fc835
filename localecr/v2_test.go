package localecr_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"

	"github.com/ecrkit/ecrkit/localecr"
)

// pushed is a rig with an image app:v1 and the bytes of its one layer.
func pushed(t *testing.T, o localecr.Options) (r *rig, m, layer []byte) {
	r = newRig(t, o)
	r.repository("app")
	config, layer := random(40), random(1000)
	r.layer("app", config)
	r.layer("app", layer)
	m = manifest(config, layer)
	if err := r.put("app", m, aws.String("v1")); err != nil {
		t.Fatal(err)
	}
	return r, m, layer
}

func TestDownload(t *testing.T) {
	t.Parallel()
	r, _, layer := pushed(t, localecr.Options{})
	digest := digestOf(layer)
	redirect := r.v2("GET", "/v2/app/blobs/"+digest, nil)
	url := redirect.header.Get("Location")
	if redirect.status != 307 || url == "" || strings.HasPrefix(url, r.srv.URL) {
		t.Fatalf("%d %s: not a redirect to another listener", redirect.status, url)
	}
	out, err := r.api.GetDownloadUrlForLayer(context.Background(), &ecr.GetDownloadUrlForLayerInput{RepositoryName: aws.String("app"), LayerDigest: &digest})
	if err != nil || *out.LayerDigest != digest {
		t.Fatal(err)
	}
	get := func(method, url string, headers ...string) reply {
		req, _ := http.NewRequest(method, url, nil)
		return r.do(req, headers...)
	}
	for _, u := range []string{url, *out.DownloadUrl} {
		if got := get("GET", u); got.status != 200 || !bytes.Equal(got.body, layer) || got.header.Get("ETag") == "" || got.header.Get("Accept-Ranges") != "bytes" {
			t.Errorf("whole: %d, %d bytes, %v", got.status, len(got.body), got.header)
		}
	}
	for _, c := range []struct {
		rng     string
		status  int
		content string
		want    []byte
	}{
		{"bytes=10-19", 206, "bytes 10-19/1000", layer[10:20]},
		{"bytes=990-", 206, "bytes 990-999/1000", layer[990:]},
		{"bytes=-10", 206, "bytes 990-999/1000", layer[990:]},
		{"bytes=990-2000", 206, "bytes 990-999/1000", layer[990:]},
		{"bytes=1000-", 416, "bytes */1000", nil},
	} {
		got := get("GET", url, "Range", c.rng)
		if got.status != c.status || got.header.Get("Content-Range") != c.content || c.want != nil && !bytes.Equal(got.body, c.want) {
			t.Errorf("%s: %d %s", c.rng, got.status, got.header.Get("Content-Range"))
		}
	}
	for name, c := range map[string]struct {
		got    reply
		status int
		text   string
	}{
		"Authorization too": {get("GET", url, "Authorization", "Basic eDp5"), 400, "<Code>InvalidArgument</Code><Message>Only one auth mechanism allowed"},
		"HEAD":              {get("HEAD", url), 403, ""},
		"altered":           {get("GET", strings.Replace(url, "X-Amz-Expires=3600", "X-Amz-Expires=36000", 1)), 403, "<Code>SignatureDoesNotMatch</Code>"},
		"another layer":     {get("GET", strings.Replace(url, digest[7:], digestOf(nil)[7:], 1)), 403, "<Code>SignatureDoesNotMatch</Code>"},
		"unsigned":          {get("GET", url[:strings.Index(url, "?")]), 403, "<Code>AccessDenied</Code>"},
		"not a layer":       {get("GET", url[:strings.Index(url, "layers/")]+"x"), 404, "<Code>NoSuchKey</Code>"},
	} {
		if c.got.status != c.status || !strings.Contains(string(c.got.body), c.text) {
			t.Errorf("%s: %d %s, want %d %s", name, c.got.status, c.got.body, c.status, c.text)
		}
	}
	r.srv.Clock().Advance(time.Hour + time.Second)
	if got := get("GET", url); got.status != 403 || !strings.Contains(string(got.body), "<Message>Request has expired</Message>") {
		t.Errorf("expired: %d %s", got.status, got.body)
	}
}

func TestManifestsAreKeptByteForByte(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	r.repository("app")
	config := random(40)
	r.layer("app", config)
	odd := fmt.Appendf(nil, "{ \"schemaVersion\" : 2,\r\n\t\"mediaType\":%q, \"config\":{\"mediaType\":\"x/y\",\"digest\":%q,\"size\":40},\"layers\":[ {\"mediaType\":\"x\\u002fy\",\"digest\":%q,\"size\":40}],\"annotations\":{\"<a>&\":\"z\\u00e9\"},\"é\":\"\\/\" }\n", ociManifest, digestOf(config), digestOf(config))
	if err := r.put("app", odd, aws.String("api")); err != nil {
		t.Fatal(err)
	}
	if got := r.putV2("app", "v2", odd); got.status != 201 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	for _, ref := range []string{"api", "v2", digestOf(odd)} {
		if got := r.v2("GET", "/v2/app/manifests/"+ref, nil); !bytes.Equal(got.body, odd) || got.header.Get("Content-Type") != ociManifest {
			t.Errorf("%s: %q", ref, got.body)
		}
	}
	docker := bytes.ReplaceAll(odd, []byte(ociManifest), []byte("application/vnd.docker.distribution.manifest.v2+json"))
	list := bytes.ReplaceAll(index(docker), []byte(ociIndex), []byte("application/vnd.docker.distribution.manifest.list.v2+json"))
	for tag, m := range map[string][]byte{"docker": docker, "list": list, "index": index(odd)} {
		if tag == "list" {
			if err := r.put("app", docker, aws.String("first")); err != nil {
				t.Fatal(err)
			}
		}
		if got := r.putV2("app", tag, m); got.status != 201 && tag != "docker" {
			t.Fatalf("%s: %d %s", tag, got.status, got.body)
		}
		if got := r.v2("GET", "/v2/app/manifests/"+tag, nil); !bytes.Equal(got.body, m) {
			t.Errorf("%s: %d %q", tag, got.status, got.body)
		}
	}
}

func TestAcceptedMediaTypes(t *testing.T) {
	t.Parallel()
	r, m, _ := pushed(t, localecr.Options{})
	for accept, status := range map[string]int{"": 200, "*/*": 200, ociManifest + ", " + ociIndex: 200, ociManifest + ";q=0.5": 200, "application/vnd.docker.distribution.manifest.v2+json": 404} {
		if got := r.v2("GET", "/v2/app/manifests/v1", nil, "Accept", accept); got.status != status {
			t.Errorf("Accept %q: %d, want %d", accept, got.status, status)
		}
	}
	if got := r.v2("HEAD", "/v2/app/manifests/v1", nil); got.status != 200 || got.header.Get("Docker-Content-Digest") != digestOf(m) || got.header.Get("Content-Length") != fmt.Sprint(len(m)) {
		t.Errorf("HEAD: %d %v", got.status, got.header)
	}
}

func TestMount(t *testing.T) {
	t.Parallel()
	r, _, layer := pushed(t, localecr.Options{})
	r.repository("target")
	loose := r.layer("app", random(10))
	mount := func(digest string) reply {
		return r.v2("POST", "/v2/target/blobs/uploads/?mount="+digest+"&from=app", nil)
	}
	if got := mount(digestOf(layer)); got.status != 202 || got.header.Get("Location") == "" {
		t.Fatalf("mounting is off: %d", got.status)
	}
	if _, err := r.api.PutAccountSetting(context.Background(), &ecr.PutAccountSettingInput{Name: aws.String("BLOB_MOUNTING"), Value: aws.String("ENABLED")}); err != nil {
		t.Fatal(err)
	}
	if got := mount(loose); got.status != 202 {
		t.Errorf("a layer without an image: %d", got.status)
	}
	if got := mount(digestOf(nil)); got.status != 202 {
		t.Errorf("an unknown layer: %d", got.status)
	}
	if got := r.v2("POST", "/v2/target/blobs/uploads/?mount="+digestOf(layer)+"&from=nothing", nil); got.status != 202 {
		t.Errorf("an unknown repository: %d", got.status)
	}
	for range 2 {
		if got := mount(digestOf(layer)); got.status != 201 || !strings.HasSuffix(got.header.Get("Location"), "/v2/target/blobs/"+digestOf(layer)) {
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
	if got := r.v2("HEAD", "/v2/target/blobs/"+digestOf(layer), nil); got.status != 200 {
		t.Errorf("mounted layer: %d", got.status)
	}
	encrypted := &ecr.CreateRepositoryInput{RepositoryName: aws.String("encrypted")}
	encrypted.EncryptionConfiguration = kmsEncryption()
	if _, err := r.api.CreateRepository(context.Background(), encrypted); err != nil {
		t.Fatal(err)
	}
	if got := r.v2("POST", "/v2/encrypted/blobs/uploads/?mount="+digestOf(layer)+"&from=app", nil); got.status != 202 {
		t.Errorf("another encryption: %d", got.status)
	}
	// The layer outlives the repository that it was mounted from.
	if _, err := r.api.DeleteRepository(context.Background(), &ecr.DeleteRepositoryInput{RepositoryName: aws.String("app"), Force: true}); err != nil {
		t.Fatal(err)
	}
	config := random(20)
	r.layer("target", config)
	if err := r.put("target", manifest(config, layer), nil); err != nil {
		t.Fatal(err)
	}
	redirect := r.v2("GET", "/v2/target/blobs/"+digestOf(layer), nil)
	req, _ := http.NewRequest("GET", redirect.header.Get("Location"), nil)
	if got := r.do(req); !bytes.Equal(got.body, layer) {
		t.Errorf("%d: the bytes are gone", got.status)
	}
}

// TestQuirks runs each quirk on, and off.
func TestQuirks(t *testing.T) {
	t.Parallel()
	for _, off := range []bool{false, true} {
		o := localecr.Options{}
		if off {
			o.QuirksOff = localecr.Quirks()
		}
		pick := func(on, without any) any {
			if off {
				return without
			}
			return on
		}
		t.Run(fmt.Sprintf("off=%v", off), func(t *testing.T) {
			r, m, layer := pushed(t, o)
			loc := r.startV2("app")
			download, _ := http.NewRequest("GET", r.v2("GET", "/v2/app/blobs/"+digestOf(layer), nil).header.Get("Location"), nil)
			first := r.v2("PATCH", loc, random(6<<20))
			second := r.v2("PATCH", loc, random(100))
			got := map[localecr.Quirk]any{
				localecr.QuirkPatchCreated:            first.status,
				localecr.QuirkStickyRange:             second.header.Get("Range"),
				localecr.QuirkNoUploadStatus:          r.v2("GET", loc, nil).status,
				localecr.QuirkNoDigestOnTagGet:        r.v2("GET", "/v2/app/manifests/v1", nil).header.Get("Docker-Content-Digest"),
				localecr.QuirkNoLocationOnManifestPut: r.putV2("app", "v2", m).header.Get("Location"),
				localecr.QuirkListLimit:               r.v2("GET", "/v2/app/tags/list?n=1001", nil).status,
				localecr.QuirkOneAuthMechanism:        r.do(download, "Authorization", "Basic eDp5").status,
			}
			r.setMutability("app", "IMMUTABLE")
			got[localecr.QuirkImmutableRepush] = r.putV2("app", "v1", m).status
			got[localecr.QuirkCommitOnDisconnect] = r.brokenPatch()
			want := map[localecr.Quirk]any{
				localecr.QuirkPatchCreated:            pick(201, 202),
				localecr.QuirkStickyRange:             pick("0-6291455", "0-6291555"),
				localecr.QuirkNoUploadStatus:          pick(404, 204),
				localecr.QuirkNoDigestOnTagGet:        pick("", digestOf(m)),
				localecr.QuirkNoLocationOnManifestPut: pick("", r.srv.URL+"/v2/app/manifests/"+digestOf(m)),
				localecr.QuirkListLimit:               pick(405, 200),
				localecr.QuirkOneAuthMechanism:        pick(400, 200),
				localecr.QuirkImmutableRepush:         pick(400, 201),
				localecr.QuirkCommitOnDisconnect:      pick("First byte of the layer part is 2000 instead of 1000", "First byte of the layer part is 2000 instead of 0"),
			}
			for _, q := range localecr.Quirks() {
				if got[q] != want[q] {
					t.Errorf("%s: %v, want %v", q, got[q], want[q])
				}
			}
		})
	}
	if _, err := localecr.New(localecr.Options{QuirksOff: []localecr.Quirk{"nothing"}}); err == nil || !strings.Contains(err.Error(), `"nothing" is not known; there are patch-created,`) {
		t.Errorf("unknown quirk: %v", err)
	}
}

// brokenPatch cuts a PATCH after 1000 bytes and asks what came of it.
func (r *rig) brokenPatch() string {
	r.t.Helper()
	loc := r.startV2("app")
	cut := int64(1000)
	if err := r.srv.SetFaults(localecr.Fault{Op: "PATCH /v2/{name}/blobs/uploads/{uuid}", ResetRequestAfter: &cut}); err != nil {
		r.t.Fatal(err)
	}
	req, _ := http.NewRequest("PATCH", loc, bytes.NewReader(random(5000)))
	req.SetBasicAuth("AWS", r.token)
	if resp, err := http.DefaultClient.Do(req); err == nil {
		resp.Body.Close()
		r.t.Fatalf("a connection that was cut has answered %d", resp.StatusCode)
	}
	var doc struct{ Errors []struct{ Message string } }
	got := r.v2("PATCH", loc, random(10), "Content-Range", "2000-2009")
	if err := json.Unmarshal(got.body, &doc); err != nil {
		r.t.Fatalf("%d %s", got.status, got.body)
	}
	return doc.Errors[0].Message
}

func TestLists(t *testing.T) {
	t.Parallel()
	r, m, _ := pushed(t, localecr.Options{})
	for i := range 5 {
		if err := r.put("app", m, aws.String(fmt.Sprintf("t%d", i))); err != nil {
			t.Fatal(err)
		}
		r.repository(fmt.Sprintf("repo%d", i))
	}
	for _, c := range []struct{ path, want, link string }{
		{"/v2/app/tags/list", `{"name":"app","tags":["t0","t1","t2","t3","t4","v1"]}`, ""},
		{"/v2/app/tags/list?n=2", `{"name":"app","tags":["t0","t1"]}`, `</v2/app/tags/list?last=t1&n=2>; rel="next"`},
		{"/v2/app/tags/list?last=t1&n=4", `{"name":"app","tags":["t2","t3","t4","v1"]}`, ""},
		{"/v2/app/tags/list?last=zz", `{"name":"app","tags":[]}`, ""},
		{"/v2/repo0/tags/list", `{"name":"repo0","tags":[]}`, ""},
		{"/v2/_catalog", `{"repositories":["app","repo0","repo1","repo2","repo3","repo4"]}`, ""},
		{"/v2/_catalog?n=3&last=app", `{"repositories":["repo0","repo1","repo2"]}`, `</v2/_catalog?last=repo2&n=3>; rel="next"`},
	} {
		if got := r.v2("GET", c.path, nil); string(got.body) != c.want || got.header.Get("Link") != c.link {
			t.Errorf("%s: %s %s", c.path, got.body, got.header.Get("Link"))
		}
	}
	wantReply(t, r.v2("GET", "/v2/app/tags/list?n=x", nil), 400, "PAGINATION_NUMBER_INVALID", `"x"`)
}

func TestReferrers(t *testing.T) {
	t.Parallel()
	r, m, _ := pushed(t, localecr.Options{})
	empty := []byte("{}")
	r.layer("app", empty)
	var digests []string
	for i := range 3 {
		kind := []string{"application/x.sig", "application/x.sbom", "application/x.sig"}[i]
		ref := fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"artifactType":%q,"config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":%q,"size":2},"layers":[{"mediaType":"application/vnd.oci.empty.v1+json","digest":%q,"size":2}],"subject":{"mediaType":%q,"digest":%q,"size":%d},"annotations":{"n":"%d"}}`,
			ociManifest, kind, digestOf(empty), digestOf(empty), ociManifest, digestOf(m), len(m), i)
		got := r.putV2("app", digestOf(ref), ref)
		if got.status != 201 || got.header.Get("OCI-Subject") != digestOf(m) {
			t.Fatalf("%d %s", got.status, got.body)
		}
		digests = append(digests, digestOf(ref))
	}
	var list struct {
		MediaType string
		Manifests []struct {
			MediaType, Digest, ArtifactType string
			Annotations                     map[string]string
		}
	}
	for query, n := range map[string]int{"": 3, "?artifactType=application/x.sig": 2, "?artifactType=none": 0} {
		got := r.v2("GET", "/v2/app/referrers/"+digestOf(m)+query, nil)
		if err := json.Unmarshal(got.body, &list); err != nil || len(list.Manifests) != n || list.MediaType != ociIndex || got.header.Get("Content-Type") != ociIndex {
			t.Errorf("%q: %s", query, got.body)
		}
		if filtered := got.header.Get("OCI-Filters-Applied") == "artifactType"; filtered != (query != "") {
			t.Errorf("%q: filters applied: %v", query, filtered)
		}
	}
	out, err := r.api.ListImageReferrers(context.Background(), referrersOf(m, nil))
	if err != nil || len(out.Referrers) != 3 {
		t.Fatalf("%+v %v", out, err)
	}
	first, err := r.api.ListImageReferrers(context.Background(), referrersOf(m, aws.Int32(2)))
	if err != nil || len(first.Referrers) != 2 || first.NextToken == nil {
		t.Fatalf("%+v %v", first, err)
	}
	next := referrersOf(m, nil)
	next.NextToken = first.NextToken
	if out, err := r.api.ListImageReferrers(context.Background(), next); err != nil || len(out.Referrers) != 1 || out.NextToken != nil {
		t.Fatalf("%+v %v", out, err)
	}
	_, err = r.api.ListImageReferrers(context.Background(), referrersOf(m, aws.Int32(51)))
	wantError(t, err, "InvalidParameterException", "must be between 1 and 50")
	if got := r.v2("GET", "/v2/app/referrers/"+digestOf(nil), nil); got.status != 200 || !strings.Contains(string(got.body), `"manifests":[]`) {
		t.Errorf("no subject: %d %s", got.status, got.body)
	}
	for _, d := range digests { // a referrer goes with its own deletion only
		r.v2("DELETE", "/v2/app/manifests/"+d, nil)
	}
	if out, err := r.api.ListImageReferrers(context.Background(), referrersOf(m, nil)); err != nil || len(out.Referrers) != 0 {
		t.Fatalf("%+v %v", out, err)
	}
}

func TestUnsupportedRoutes(t *testing.T) {
	t.Parallel()
	r, _, layer := pushed(t, localecr.Options{})
	loc := r.startV2("app")
	for _, c := range [][2]string{{"DELETE", "/v2/app/blobs/" + digestOf(layer)}, {"DELETE", loc}, {"PUT", "/v2/app/tags/list"}, {"GET", "/v2/app"}, {"POST", "/v2/"}, {"GET", "/v2/x/y/z"}} {
		wantReply(t, r.v2(c[0], c[1], nil), 405, "UNSUPPORTED", "The operation is unsupported.")
	}
}

func TestServerAsAHandler(t *testing.T) {
	t.Parallel()
	srv, err := localecr.New(localecr.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	front := httptest.NewServer(srv)
	t.Cleanup(front.Close)
	r := &rig{t: t, srv: &localecr.Server{URL: front.URL}}
	user := localecr.DefaultAccounts()[0].Users[0]
	r.api = r.client(user.AccessKeyID, user.SecretAccessKey, "", localecr.DefaultRegion)
	r.token = r.login(r.api)
	r.repository("app")
	config := random(30)
	r.layer("app", config)
	if err := r.put("app", manifest(config, config), nil); err != nil {
		t.Fatal(err)
	}
	url := r.v2("GET", "/v2/app/blobs/"+digestOf(config), nil).header.Get("Location")
	req, _ := http.NewRequest("GET", url, nil)
	if got := r.do(req); !strings.HasPrefix(url, front.URL) || !bytes.Equal(got.body, config) {
		t.Errorf("%s: %d", url, got.status)
	}
}

// TestABodyThatBreaksOffIsTheClientsError sends less than Content-Length promises.
func TestABodyThatBreaksOffIsTheClientsError(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	r, _, _ := pushed(t, localecr.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	path := strings.TrimPrefix(r.startV2("app"), r.srv.URL)
	conn, err := net.Dial("tcp", r.srv.Registry)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	auth := base64.StdEncoding.EncodeToString([]byte("AWS:" + r.token))
	fmt.Fprintf(conn, "PATCH %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Basic %s\r\nContent-Length: 1000\r\n\r\n0123456789", path, r.srv.Registry, auth)
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	wantReply(t, reply{resp.StatusCode, resp.Header, body}, 400, "BLOB_UPLOAD_INVALID", "the body broke off")
	if log.Len() > 0 {
		t.Errorf("the server's log: %s", log.String())
	}
}
