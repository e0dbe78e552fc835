package localecr_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ecrkit/ecrkit/localecr"
)

// auditLine is a line of the audit log with all its fields, which docs/local-ecr.md promises to scripts.
const auditLine = `{"time":"2026-11-22T01:02:03Z","op":"PutImage","endpoint":"api","status":200,"account":"000000000000",` +
	`"principal":"arn:aws:iam::000000000000:user/ecrkit","repository":"app","digest":"sha256:1","range":"0-9","bytesIn":912,"bytesOut":1034,"error":"A: b"}` + "\n"

func TestAuditLine(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	localecr.AuditTo(&log, func(err error) { t.Error(err) }).Record(localecr.Call{
		Time: time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC), Op: "PutImage", Endpoint: localecr.EndpointAPI, Status: 200, Account: "000000000000",
		Principal: "arn:aws:iam::000000000000:user/ecrkit", Repository: "app", Digest: "sha256:1", Range: "0-9", BytesIn: 912, BytesOut: 1034, Error: "A: b",
	})
	if log.String() != auditLine {
		t.Errorf("got  %swant %s", log.String(), auditLine)
	}
	if n := reflect.TypeFor[localecr.Call]().NumField(); n != strings.Count(auditLine, `":`) {
		t.Errorf("a call has %d fields: the line here does not have all of them", n)
	}
}

// TestAuditLineIsDocumented compares the example in the documentation with the line.
func TestAuditLineIsDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/local-ecr.md")
	if err != nil {
		t.Fatal(err)
	}
	example := regexp.MustCompile(`(?m)^\{"time":.*\}$`).Find(page)
	if got, want := keys(t, example), keys(t, []byte(auditLine)); got != want {
		t.Errorf("the page has the keys %s, the log %s", got, want)
	}
}

// keys are the names in a JSON object, in their order.
func keys(t *testing.T, object []byte) string {
	t.Helper()
	var out []string
	d := json.NewDecoder(bytes.NewReader(object))
	if _, err := d.Token(); err != nil {
		t.Fatalf("%s: %v", object, err)
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, name.(string))
		if _, err := d.Token(); err != nil {
			t.Fatal(err)
		}
	}
	return strings.Join(out, " ")
}

// TestEveryAPIIsAudited looks at what the log says of a call to each endpoint, and of one without a caller.
func TestEveryAPIIsAudited(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	r.repository("app")
	m := r.image("app", ptr("v1"))
	r.calls.Reset()
	var doc struct{ Layers []struct{ Digest string } }
	if err := json.Unmarshal(m, &doc); err != nil {
		t.Fatal(err)
	}
	redirect := r.v2("GET", "/v2/app/blobs/"+doc.Layers[0].Digest, nil)
	r.v2("GET", redirect.header.Get("Location"), nil, "Authorization", "", "Range", "bytes=0-9")
	r.v2("GET", "/v2/app/manifests/v1", nil, "Authorization", "")
	r.login(r.api)
	const principal = "arn:aws:iam::000000000000:user/ecrkit"
	want := []localecr.Call{
		{Op: "GET /v2/{name}/blobs/{digest}", Endpoint: "v2", Status: 307, Account: "000000000000", Principal: principal, Repository: "app", Digest: doc.Layers[0].Digest},
		{Op: "GET /layers/{digest}", Endpoint: "s3", Status: 206, Digest: doc.Layers[0].Digest, Range: "0-9", BytesOut: 10},
		{Op: "GET /v2/{name}/manifests/{reference}", Endpoint: "v2", Status: 401, Repository: "app", Error: "UNAUTHORIZED: no basic auth credentials"},
		{Op: "GetAuthorizationToken", Endpoint: "api", Status: 200, Account: "000000000000", Principal: principal},
	}
	got := r.calls.Calls()
	if len(got) != len(want) {
		t.Fatalf("%+v", got)
	}
	for i, c := range got {
		c.Time = time.Time{}
		if c.Endpoint != "s3" {
			c.BytesIn, c.BytesOut = 0, 0
		}
		if c != want[i] {
			t.Errorf("got  %+v\nwant %+v", c, want[i])
		}
	}
}

// TestAuditEnds: the first failure of the log's writer is reported, and is the last.
func TestAuditEnds(t *testing.T) {
	t.Parallel()
	full := errors.New("disk full")
	var reported []error
	w := &failingWriter{err: full}
	audit := localecr.AuditTo(w, func(err error) { reported = append(reported, err) })
	audit.Record(localecr.Call{})
	audit.Record(localecr.Call{})
	if len(reported) != 1 || !errors.Is(reported[0], full) || w.calls != 1 {
		t.Errorf("%v after %d writes", reported, w.calls)
	}
}

type failingWriter struct {
	err   error
	calls int
}

func (w *failingWriter) Write([]byte) (int, error) {
	w.calls++
	return 0, w.err
}

// TestQuirksAreDocumented looks for each quirk in the documentation.
func TestQuirksAreDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/local-ecr.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range localecr.Quirks() {
		if !strings.Contains(string(page), "| `"+string(q)+"` |") {
			t.Errorf("the page does not have %s", q)
		}
	}
}
