package localecr

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"

	"github.com/ecrkit/ecrkit/localecr/internal/registry"
	"github.com/ecrkit/ecrkit/localecr/internal/wire"
)

// The SDK's module ships what it sends and takes for every operation and error: data that nobody here
// has written.

// snapshots returns the snapshot files of the SDK's module in a folder, by the name before suffix.
func snapshots(t *testing.T, folder, suffix string, want int) map[string][]byte {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-sdk-go-v2/service/ecr").Output()
	if err != nil {
		t.Fatal(err)
	}
	paths, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), folder, "*"+suffix))
	if err != nil || len(paths) != want {
		t.Fatalf("%d files, want %d (%v)", len(paths), want, err)
	}
	files := map[string][]byte{}
	for _, p := range paths {
		data, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		files[strings.TrimSuffix(filepath.Base(p), suffix)] = data
	}
	return files
}

// bodyOf is what is behind the last empty line of a snapshot.
func bodyOf(snapshot []byte) []byte {
	return snapshot[bytes.LastIndex(snapshot, []byte("\n\n"))+2:]
}

func TestEveryRequestSnapshotIsServedOrRefusedByName(t *testing.T) {
	t.Parallel()
	srv, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start(t)
	user := DefaultAccounts()[0].Users[0]
	send := func(op string, body []byte) (int, map[string]any) { return sendSigned(t, srv, user, op, body) }
	// The placeholders as they are, and as something that gets behind the first check.
	plausible := strings.NewReplacer(
		`"registryId":"__RegistryId__",`, "", `,"registryId":"__RegistryId__"`, "", `{"registryId":"__RegistryId__"}`, "{}",
		"__RepositoryName__", "app", "__ResourceArn__", "arn:aws:ecr:us-east-1:000000000000:repository/app",
		"__ImageDigest__", registry.Digest(nil), "__LayerDigest__", registry.Digest(nil))
	served := 0
	for op, snap := range snapshots(t, "request_snapshot", ".request.snap", 62) {
		_, known := operations[op]
		for _, body := range [][]byte{bodyOf(snap), []byte(plausible.Replace(string(bodyOf(snap))))} {
			status, doc := send(op, body)
			kind, _ := doc["__type"].(string)
			switch {
			case status >= 500:
				t.Errorf("%s: %d %v for %s", op, status, doc, body)
			case !known && (status != 400 || kind != codeUnknownOperation || !strings.Contains(doc["message"].(string), op)):
				t.Errorf("%s: %d %v", op, status, doc)
			case known && (kind == codeUnknownOperation || kind == codeSerialization):
				t.Errorf("%s: %v for %s", op, doc, body)
			}
		}
		if known {
			served++
		}
	}
	if served != len(operations) {
		t.Errorf("%d of the %d operations have a snapshot", served, len(operations))
	}
}

// sendSigned calls an operation of ECR and returns the status and the JSON of the answer.
func sendSigned(t *testing.T, srv *Server, user User, op string, body []byte) (int, map[string]any) {
	t.Helper()
	req, err := http.NewRequest("POST", srv.URL+"/", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", targetECR+op)
	key := aws.Credentials{AccessKeyID: user.AccessKeyID, SecretAccessKey: user.SecretAccessKey}
	if err := v4.NewSigner().SignHTTP(context.Background(), key, req, strings.TrimPrefix(registry.Digest(body), "sha256:"), "ecr", "us-east-1", time.Now()); err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var doc map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&doc); err != nil {
		t.Fatalf("%s: %d: %v", op, resp.StatusCode, err)
	}
	return resp.StatusCode, doc
}

// answering makes a client that gets the snapshot of a response for whatever it asks.
func answering(snapshot []byte) *ecr.Client {
	status, _ := strconv.Atoi(string(snapshot[:3]))
	return ecr.New(ecr.Options{
		Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""), RetryMaxAttempts: 1,
		HTTPClient: roundTrip(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}}, Body: io.NopCloser(bytes.NewReader(bodyOf(snapshot)))}, nil
		}),
		APIOptions: []func(*middleware.Stack) error{func(s *middleware.Stack) error {
			_, _ = s.Initialize.Remove("OperationInputValidation") // some operations have none
			return nil
		}},
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) Do(r *http.Request) (*http.Response, error) { return f(r) }

// invoke calls an operation of the SDK's client by its name, with an empty input.
func invoke(c *ecr.Client, op string) (any, error) {
	method := reflect.ValueOf(c).MethodByName(op)
	out := method.Call([]reflect.Value{reflect.ValueOf(context.Background()), reflect.New(method.Type().In(1).Elem())})
	err, _ := out[1].Interface().(error)
	return out[0].Interface(), err
}

func TestOutputsHaveTheShapeOfTheSnapshots(t *testing.T) {
	t.Parallel()
	for op, snap := range snapshots(t, "response_snapshot", ".response.snap", 62) {
		out, err := invoke(answering(snap), op)
		if err != nil {
			t.Errorf("%s: %v", op, err)
			continue
		}
		body, err := wire.Encode(out, wire.LowerCamel)
		if err != nil || !sameJSON(body, bodyOf(snap)) {
			t.Errorf("%s (%v):\n got %s\nwant %s", op, err, body, bodyOf(snap))
		}
	}
}

func TestErrorsHaveTheShapeOfTheSnapshots(t *testing.T) {
	t.Parallel()
	for name, snap := range snapshots(t, "response_snapshot", ".error.snap", 50) {
		_, err := invoke(answering(snap), "DescribeRegistry")
		var api smithy.APIError
		if !errors.As(err, &api) || api.ErrorCode() != name {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if body := encodeError(api); !sameJSON(body, bodyOf(snap)) {
			t.Errorf("%s:\n got %s\nwant %s", name, body, bodyOf(snap))
		}
	}
}

func TestInputsAreReadAsTheSnapshotsHaveThem(t *testing.T) {
	t.Parallel()
	for op, snap := range snapshots(t, "request_snapshot", ".request.snap", 62) {
		method := reflect.ValueOf(&ecr.Client{}).MethodByName(op)
		in := reflect.New(method.Type().In(1).Elem()).Interface()
		if err := wire.Decode(bodyOf(snap), in, wire.LowerCamel); err != nil {
			t.Errorf("%s: %v", op, err)
			continue
		}
		// What was read is written again without a loss.
		body, err := wire.Encode(in, wire.LowerCamel)
		if err != nil || !sameJSON(body, bodyOf(snap)) {
			t.Errorf("%s (%v):\n got %s\nwant %s", op, err, body, bodyOf(snap))
		}
	}
}

func sameJSON(a, b []byte) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}
