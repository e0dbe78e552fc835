//go:build interop

package interop

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
)

const (
	largePart  = 10 << 20
	largeParts = 205 // a little over 2 GiB
	// maxServerMemory is the most that the server may need, however large a layer is, in KiB.
	maxServerMemory = 64 << 10
)

// testLargeLayer pushes a layer of 2 GiB through each API, looks at the server's memory, and logs how
// fast the server was and how much of its time SHA-256 must have taken.
func (s *suite) testLargeLayer(t *testing.T) {
	w := s.start(t, "--ephemeral", "--quiet")
	part := make([]byte, largePart)
	rand.NewChaCha8([32]byte{}).Read(part)
	layer := sha256.New()
	begin := time.Now()
	for range largeParts {
		layer.Write(part)
	}
	hashRate := largeParts * largePart / time.Since(begin).Seconds() // bytes per second of one core
	digest := "sha256:" + hex.EncodeToString(layer.Sum(nil))

	for api, push := range map[string]func(*testing.T, *site, string, []byte, string){"native": pushParts, "v2": pushStream} {
		if _, err := w.ECR().CreateRepository(t.Context(), &ecr.CreateRepositoryInput{RepositoryName: &api}); err != nil {
			t.Fatal(err)
		}
		before, begin := cpuTime(t, w.PID()), time.Now()
		push(t, w, api, part, digest)
		wall, cpu := time.Since(begin).Seconds(), cpuTime(t, w.PID())-before
		hashed := float64(largeParts * largePart)
		if api == "native" {
			hashed += hashed / 3 * 4 // the signature is over the base64 too
		}
		memory := peakMemory(t, w.PID())
		t.Logf("%s: %.0f MiB/s, %.0f MiB/s per core, %.0f %% of it SHA-256; peak RSS of the server %d KiB",
			api, largeParts*10/wall, largeParts*10/cpu, 100*hashed/hashRate/cpu, memory)
		if memory > maxServerMemory {
			t.Errorf("%s: the server has needed %d KiB, more than %d", api, memory, maxServerMemory)
		}
	}
}

// pushParts uploads the part many times over through the AWS API. The body is built once but for its
// end, so that this client costs little.
func pushParts(t *testing.T, w *site, repository string, part []byte, digest string) {
	t.Helper()
	upload, err := w.ECR().InitiateLayerUpload(t.Context(), &ecr.InitiateLayerUploadInput{RepositoryName: &repository})
	if err != nil {
		t.Fatal(err)
	}
	key := aws.Credentials{AccessKeyID: w.Env["AWS_ACCESS_KEY_ID"], SecretAccessKey: w.Env["AWS_SECRET_ACCESS_KEY"]}
	head := `{"layerPartBlob":"` + base64.StdEncoding.EncodeToString(part)
	headHash := sha256.New()
	io.WriteString(headHash, head)
	for i := range largeParts {
		tail := fmt.Sprintf(`","partFirstByte":%d,"partLastByte":%d,"repositoryName":%q,"uploadId":%q}`, i*largePart, (i+1)*largePart-1, repository, *upload.UploadId)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.URL+"/", io.MultiReader(strings.NewReader(head), strings.NewReader(tail)))
		if err != nil {
			t.Fatal(err)
		}
		req.ContentLength = int64(len(head) + len(tail))
		req.Header.Set("Content-Type", "application/x-amz-json-1.1")
		req.Header.Set("X-Amz-Target", "AmazonEC2ContainerRegistry_V20150921.UploadLayerPart")
		sum, err := headHash.(hash.Cloner).Clone()
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(sum, tail)
		if err := v4.NewSigner().SignHTTP(t.Context(), key, req, hex.EncodeToString(sum.Sum(nil)), "ecr", w.Env["AWS_REGION"], time.Now()); err != nil {
			t.Fatal(err)
		}
		w.expect(t, req, http.StatusOK)
	}
	_, err = w.ECR().CompleteLayerUpload(t.Context(), &ecr.CompleteLayerUploadInput{RepositoryName: &repository, UploadId: upload.UploadId, LayerDigests: []string{digest}})
	if err != nil {
		t.Fatal(err)
	}
}

// pushStream uploads the part many times over as one body to /v2/.
func pushStream(t *testing.T, w *site, repository string, part []byte, digest string) {
	t.Helper()
	token, err := w.ECR().GetAuthorizationToken(t.Context(), &ecr.GetAuthorizationTokenInput{})
	if err != nil {
		t.Fatal(err)
	}
	call := func(method, url string, body io.Reader, size int64, status int) http.Header {
		req, err := http.NewRequestWithContext(t.Context(), method, url, body)
		if err != nil {
			t.Fatal(err)
		}
		req.ContentLength = size
		req.Header.Set("Authorization", "Basic "+*token.AuthorizationData[0].AuthorizationToken)
		return w.expect(t, req, status)
	}
	location := call(http.MethodPost, w.URL+"/v2/"+repository+"/blobs/uploads/", nil, 0, http.StatusAccepted).Get("Location")
	parts := make([]io.Reader, largeParts)
	for i := range parts {
		parts[i] = bytes.NewReader(part)
	}
	call(http.MethodPut, location+"?digest="+digest, io.MultiReader(parts...), largeParts*largePart, http.StatusCreated)
}

func (w *site) expect(t *testing.T, req *http.Request, status int) http.Header {
	t.Helper()
	resp, err := w.HTTP.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != status {
		t.Fatalf("%s %s: %d %s (%v)", req.Method, req.URL.Path, resp.StatusCode, body, err)
	}
	return resp.Header
}

// peakMemory is the peak resident set of a process in KiB.
func peakMemory(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(status), "VmHWM:")
	n, err := strconv.Atoi(strings.Fields(line)[0])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// cpuTime is what a process has used of the processors, in seconds.
func cpuTime(t *testing.T, pid int) float64 {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ") // behind the program's name
	var ticks float64
	for _, field := range strings.Fields(rest)[11:13] { // utime and stime, in hundredths of a second
		n, err := strconv.ParseFloat(field, 64)
		if err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	return ticks / 100
}
