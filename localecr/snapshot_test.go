package localecr_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	randomimage "github.com/google/go-containerregistry/pkg/v1/random"

	"github.com/ecrkit/ecrkit/localecr"
)

// control makes a request below /_ecrkit/, without keys.
func (r *rig) control(method, path string, headers ...string) reply {
	r.t.Helper()
	req, err := http.NewRequest(method, r.srv.URL+"/_ecrkit/"+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return r.do(req, headers...)
}

func (r *rig) wantControl(method, path string, status int, part string) {
	r.t.Helper()
	if got := r.control(method, path); got.status != status || !strings.Contains(string(got.body), part) {
		r.t.Fatalf("%s %s: %d %s, want %d and %q", method, path, got.status, got.body, status, part)
	}
}

// repositories returns the names of the repositories of the default registry.
func (r *rig) repositories() string {
	r.t.Helper()
	out, err := r.api.DescribeRepositories(context.Background(), &ecr.DescribeRepositoriesInput{})
	if err != nil {
		r.t.Fatal(err)
	}
	var names []string
	for _, repo := range out.Repositories {
		names = append(names, *repo.RepositoryName)
	}
	return strings.Join(names, " ")
}

func (r *rig) create(name string) {
	r.t.Helper()
	if _, err := r.api.CreateRepository(context.Background(), &ecr.CreateRepositoryInput{RepositoryName: &name}); err != nil {
		r.t.Fatal(err)
	}
}

// pullV2 reads an image with its layers over /v2/, and returns the status of the first answer that is not 200.
func (r *rig) pullV2(repo, tag string) int {
	r.t.Helper()
	got := r.v2("GET", "/v2/"+repo+"/manifests/"+tag, nil)
	var m struct{ Layers []struct{ Digest string } }
	if got.status != 200 {
		return got.status
	}
	if err := json.Unmarshal(got.body, &m); err != nil {
		r.t.Fatal(err)
	}
	for _, l := range m.Layers {
		got := r.v2("GET", "/v2/"+repo+"/blobs/"+l.Digest, nil)
		if got.status == 307 {
			got = r.v2("GET", got.header.Get("Location"), nil, "Authorization", "")
		}
		if got.status != 200 || digestOf(got.body) != l.Digest {
			return got.status
		}
	}
	return 200
}

func TestSnapshotAndRestore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := newRig(t, localecr.Options{Dir: dir})
	ctx := t.Context()
	keysOf := kms.NewFromConfig(r.srv.AWSConfig())
	r.create("app")
	r.image("app", aws.String("1.0"))
	made, err := keysOf.CreateKey(ctx, &kms.CreateKeyInput{KeySpec: "ECC_NIST_P256", KeyUsage: "SIGN_VERIFY"})
	if err != nil {
		t.Fatal(err)
	}
	running := r.start("app")
	r.wantControl("POST", "snapshot/ready", 200, "ok")
	r.wantControl("GET", "snapshot", 200, `"ready"`)

	r.create("later")
	r.image("app", aws.String("2.0"))
	if _, err := r.api.DeleteRepository(ctx, &ecr.DeleteRepositoryInput{RepositoryName: aws.String("app"), Force: true}); err != nil {
		t.Fatal(err)
	}
	later, err := keysOf.CreateKey(ctx, &kms.CreateKeyInput{KeySpec: "ECC_NIST_P256", KeyUsage: "SIGN_VERIFY"})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // a snapshot can be restored more than once
		r.wantControl("POST", "restore/ready", 200, "ok")
		if got := r.repositories(); got != "app" {
			t.Fatalf("repositories %q", got)
		}
		if got := r.pullV2("app", "1.0"); got != 200 {
			t.Fatalf("pull of 1.0: %d", got)
		}
		if got := r.pullV2("app", "2.0"); got != 404 {
			t.Fatalf("pull of 2.0: %d", got)
		}
		if _, err := keysOf.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: made.KeyMetadata.KeyId}); err != nil {
			t.Fatal(err)
		}
		_, err = keysOf.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: later.KeyMetadata.KeyId})
		wantError(t, err, "NotFoundException", *later.KeyMetadata.KeyId)
		wantError(t, r.part("app", running, 0, random(10)), "UploadNotFoundException", *running)
		r.create("again")
		r.image("app", aws.String("2.0"))
	}
	r.wantControl("DELETE", "snapshot/ready", 200, "ok")
	r.wantControl("POST", "restore/ready", 404, "no such snapshot")
	r.wantControl("DELETE", "snapshot/ready", 404, "no such snapshot")
	r.wantControl("POST", "snapshot/Not%20a%20name", 400, "name of a snapshot")
	r.wantControl("POST", "snapshot/..%2fkms", 400, "name of a snapshot")
}

// What no image names any more leaves no file behind.
func TestResetEmptiesTheServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	seeded := 0
	var seed error
	faults := []localecr.Fault{{Op: "DescribeRepositories", Nth: 2, Status: 400, Code: "Scripted"}}
	r := newRig(t, localecr.Options{Dir: dir, Faults: faults, Quotas: localecr.Quotas{"CreateRepository": {Rate: 0.001, Burst: 1}}, Seed: func(ctx context.Context, s *localecr.Server) error {
		seeded++
		image, err := randomimage.Image(60, 1)
		if err != nil {
			return err
		}
		return errors.Join(s.PutImage(ctx, "seed", "1.0", image), seed)
	}})
	if got := r.repositories(); got != "" || seeded != 0 {
		t.Fatalf("before: %q, seeded %d times", got, seeded)
	}
	r.create("app")
	r.image("app", aws.String("1.0"))
	open := r.start("app")
	if err := r.part("app", open, 0, random(10)); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		r.wantControl("POST", "reset", 200, "ok")
		if got := r.repositories(); got != "seed" || seeded != i+1 { // the fault counts from the beginning
			t.Fatalf("after: %q, seeded %d times", got, seeded)
		}
		if got := r.pullV2("seed", "1.0"); got != 200 {
			t.Fatalf("pull of the seed: %d", got)
		}
		r.create("app") // the quota too
	}
	wantError(t, r.part("app", open, 10, random(10)), "UploadNotFoundException", *open)
	if entries, err := os.ReadDir(filepath.Join(dir, "uploads")); err != nil || len(entries) != 0 {
		t.Errorf("files of uploads: %v, %v", entries, err)
	}
	blobs, err := filepath.Glob(filepath.Join(dir, "blobs", "sha256", "*", "*"))
	if err != nil || len(blobs) != 2 { // the layer and the config of the seed
		t.Errorf("files of layers: %v, %v", blobs, err)
	}
	seed = errors.New("source is missing")
	r.wantControl("POST", "reset", 500, "source is missing")
}

// TestSnapshotNames has names that lead out of the directory of the snapshots, or to a device on Windows.
func TestSnapshotNames(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{Dir: t.TempDir()})
	for _, name := range []string{"..%2fx", "%2e%2e", "a%2fb", "a%5cb", "a%00b", "-", "A", "nul", "con.txt", "com1.a.b", strings.Repeat("a", 65)} {
		r.wantControl("POST", "snapshot/"+name, 400, "snapshot-name")
	}
	r.wantControl("GET", "snapshot", 200, `"snapshots":[]`)
}

func TestUnknownControlRequests(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	for _, path := range []string{"heath", "", "snapshot/a/b", "restore/"} {
		r.wantControl("GET", path, 404, `"code":"not-found","message":"/_ecrkit/`+path+` does not exist; the requests are GET health, POST reset,`)
	}
	r.wantControl("GET", "reset", 405, `"code":"method-not-allowed","message":"/_ecrkit/reset does not take GET, but POST"`)
	got := r.control("PUT", "snapshot/a")
	if got.status != 405 || got.header.Get("Content-Type") != "application/json" || got.header.Get("Allow") != "DELETE, POST" {
		t.Errorf("%d %v %s", got.status, got.header, got.body)
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	var r *rig
	r = newRig(t, localecr.Options{Seed: func(context.Context, *localecr.Server) error {
		r.wantControl("GET", "health", 503, `"starting"`)
		return nil
	}})
	r.wantControl("GET", "health", 200, `"status":"ok"`)
	if err := r.srv.Seed(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.wantControl("GET", "health", 200, r.srv.URL)
	r.wantControl("GET", "reset", 405, "")
	r.wantControl("GET", "nothing", 404, "")
	// A web page cannot make the requests that change something.
	for _, header := range [][]string{{"Origin", "https://example.com"}, {"Sec-Fetch-Site", "cross-site"}} {
		if got := r.control("POST", "reset", header...); got.status != 403 {
			t.Errorf("%v: %d", header, got.status)
		}
	}
	if got := r.control("GET", "health", "Host", "rebound.example.com"); got.status != 421 {
		t.Errorf("foreign name: %d", got.status)
	}
	if calls := r.calls.Calls(); len(calls) != 1 { // the login's
		t.Errorf("audited: %v", calls)
	}
}

// What a process that was killed has left is removed.
func TestUnfinishedSnapshotIsRemoved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	left := filepath.Join(dir, "snapshots", ".unfinished-ready", "kms")
	if err := os.MkdirAll(left, 0o700); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, localecr.Options{Dir: dir})
	r.wantControl("GET", "snapshot", 200, `{"snapshots":[]}`)
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left behind: %v", err)
	}
}
