package localecr_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"

	"github.com/ecrkit/ecrkit/localecr"
)

// TestProbes asks what one asks of any registry that claims the OCI distribution API. Where ECR is
// known to differ, ECR's answer is the right one; it says so in the probe's name.
func TestProbes(t *testing.T) {
	t.Parallel()
	r, m, layer := pushed(t, localecr.Options{})
	r.repository("two")
	digest, unknown := digestOf(layer), digestOf([]byte("unknown"))
	location := r.v2("GET", "/v2/app/blobs/"+digest, nil).header.Get("Location")
	ranged := func(rng string) reply {
		req, _ := http.NewRequest("GET", location, nil)
		return r.do(req, "Range", rng)
	}
	chunks := func(sizes ...int) reply {
		data, loc := random(7<<20), r.startV2("app")
		for i, from := 0, 0; i < len(sizes); i++ {
			if got := r.v2("PATCH", loc, data[from:from+sizes[i]]); got.status != 201 {
				return got
			}
			from += sizes[i]
		}
		return r.v2("PUT", loc+"?digest="+digestOf(data), nil)
	}
	for _, probe := range []struct {
		name string
		got  int
		want int
	}{
		{"ping", r.v2("GET", "/v2/", nil).status, 200},
		{"HEAD of a layer", r.v2("HEAD", "/v2/app/blobs/"+digest, nil).status, 200},
		{"HEAD of an unknown layer", r.v2("HEAD", "/v2/app/blobs/"+unknown, nil).status, 404},
		{"GET of a layer is a redirect", r.v2("GET", "/v2/app/blobs/"+digest, nil).status, 307},
		{"range, closed", ranged("bytes=1-2").status, 206},
		{"range, open", ranged("bytes=1-").status, 206},
		{"range, suffix", ranged("bytes=-1").status, 206},
		{"range, behind the end", ranged("bytes=5000-").status, 416},
		{"push by POST and PUT", r.v2("PUT", r.startV2("app")+"?digest="+digestOf([]byte("x")), []byte("x")).status, 201},
		{"POST with digest begins an upload", r.v2("POST", "/v2/app/blobs/uploads/?digest="+digestOf([]byte("y")), []byte("y")).status, 202},
		{"push by one PATCH", chunks(7 << 20).status, 201},
		{"push by two PATCHes", chunks(6<<20, 1<<20).status, 201},
		{"chunk out of order", r.v2("PATCH", r.startV2("app"), random(10), "Content-Range", "10-19").status, 416},
		{"status of an upload: none in ECR", r.v2("GET", r.startV2("app"), nil).status, 404},
		{"wrong digest of a layer", r.v2("PUT", r.startV2("app")+"?digest="+unknown, []byte("x")).status, 400},
		{"mount without the account setting", r.v2("POST", "/v2/two/blobs/uploads/?mount="+digest+"&from=app", nil).status, 202},
		{"mount of an unknown layer", r.v2("POST", "/v2/two/blobs/uploads/?mount="+unknown+"&from=app", nil).status, 202},
		{"manifest by tag", r.v2("GET", "/v2/app/manifests/v1", nil).status, 200},
		{"manifest by digest", r.v2("GET", "/v2/app/manifests/"+digestOf(m), nil).status, 200},
		{"HEAD of an unknown manifest", r.v2("HEAD", "/v2/app/manifests/nothing", nil).status, 404},
		{"manifest without its layer", r.putV2("two", "x", m).status, 404},
		{"index without its child", r.putV2("two", "x", index(m)).status, 404},
		{"referrers of anything", r.v2("GET", "/v2/app/referrers/"+unknown, nil).status, 200},
		{"tags, a page", r.v2("GET", "/v2/app/tags/list?n=1", nil).status, 200},
		{"catalog", r.v2("GET", "/v2/_catalog", nil).status, 200},
		{"unknown repository", r.v2("GET", "/v2/nothing/tags/list", nil).status, 404},
		{"DELETE of a layer: none in ECR", r.v2("DELETE", "/v2/app/blobs/"+digest, nil).status, 405},
		{"DELETE of a tag", r.v2("DELETE", "/v2/app/manifests/v1", nil).status, 202},
	} {
		if probe.got != probe.want {
			t.Errorf("%s: %d, want %d", probe.name, probe.got, probe.want)
		}
	}
}

func TestParallelPushAndPull(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	r.repository("app")
	const n = 16
	layers := make([][]byte, n)
	var wg sync.WaitGroup
	for i := range layers {
		layers[i] = random(1 << 20)
		wg.Go(func() {
			if i%2 == 0 {
				r.layer("app", layers[i])
			} else {
				r.layerV2("app", layers[i])
			}
		})
	}
	wg.Wait()
	config := random(10)
	r.layer("app", config)
	if err := r.put("app", manifest(config, layers...), aws.String("v1")); err != nil {
		t.Fatal(err)
	}
	for _, layer := range layers {
		wg.Go(func() {
			location := r.v2("GET", "/v2/app/blobs/"+digestOf(layer), nil).header.Get("Location")
			req, _ := http.NewRequest("GET", location, nil)
			if got := r.do(req); !bytes.Equal(got.body, layer) {
				t.Errorf("%d: other bytes", got.status)
			}
		})
	}
	wg.Wait()
}

// TestPartsMayTravelTogether is how a client sends one layer over several connections: it holds back
// the end of each part until the one before was taken.
func TestPartsMayTravelTogether(t *testing.T) {
	t.Parallel()
	limits := localecr.DefaultLimits()
	limits.MinPart = 256 << 10
	r := newRig(t, localecr.Options{Limits: &limits})
	r.repository("app")
	id := r.start("app")
	const n, size = 4, 256 << 10
	data := random(n * size)
	taken := make([]chan struct{}, n+1)
	for i := range taken {
		taken[i] = make(chan struct{})
	}
	close(taken[0])
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			blob := base64.StdEncoding.EncodeToString(data[i*size : (i+1)*size])
			body := fmt.Sprintf(`{"layerPartBlob":"%s","partFirstByte":%d,"partLastByte":%d,"repositoryName":"app","uploadId":"%s"}`, blob, i*size, (i+1)*size-1, *id)
			req := r.signed("UploadLayerPart", body)
			req.Body = io.NopCloser(&heldBody{rest: []byte(body), taken: taken[i]})
			if got := r.do(req); got.status != 200 {
				t.Errorf("part %d: %d %s", i, got.status, got.body)
			}
			close(taken[i+1])
		})
	}
	wg.Wait()
	if err := r.complete("app", id, digestOf(data)); err != nil {
		t.Fatal(err)
	}
	for _, c := range r.calls.Calls() {
		if c.Op == "UploadLayerPart" && c.Error != "" {
			t.Errorf("%+v", c)
		}
	}
}

// heldBody gives all but the last bytes of a request at once, and those when the part before was taken.
type heldBody struct {
	rest  []byte
	taken chan struct{}
}

func (b *heldBody) Read(p []byte) (int, error) {
	const end = 100
	if len(b.rest) <= end {
		<-b.taken
		n := copy(p, b.rest)
		b.rest = b.rest[n:]
		if len(b.rest) == 0 {
			return n, io.EOF
		}
		return n, nil
	}
	n := copy(p, b.rest[:len(b.rest)-end])
	b.rest = b.rest[n:]
	return n, nil
}

// TestAnErrorReachesAClientThatIsStillSending sends more than the buffers of a connection hold, and reads only then, as
// clients in other languages do. (Go's reads meanwhile.) A server that closes the connection loses its answer.
func TestAnErrorReachesAClientThatIsStillSending(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	r.repository("app")
	for name, head := range map[string]string{
		"421 does not answer to": "PUT /v2/ HTTP/1.1\r\n",
		"404 BLOB_UPLOAD_UNKNOWN": "PUT /v2/app/blobs/uploads/nothing?digest=" + digestOf(nil) + " HTTP/1.1\r\nAuthorization: Basic " +
			base64.StdEncoding.EncodeToString([]byte("AWS:"+r.token)) + "\r\n",
		"401 Not Authorized":            "PUT /v2/app/blobs/uploads/nothing?digest=" + digestOf(nil) + " HTTP/1.1\r\n",
		"400 UnknownOperationException": "POST / HTTP/1.1\r\nX-Amz-Target: TrentService.Nothing\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			c, err := net.Dial("tcp", r.srv.Registry)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			const size = 16 << 20
			host := "localhost"
			if strings.HasPrefix(name, "421") {
				host = "evil.example"
			}
			if _, err := fmt.Fprintf(c, "%sHost: %s\r\nContent-Length: %d\r\n\r\n", head, host, size); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Write(make([]byte, size)); err != nil {
				t.Fatalf("the connection was closed: %v", err)
			}
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			status, text, _ := strings.Cut(name, " ")
			if err != nil || !strings.HasPrefix(resp.Status, status) || !strings.Contains(string(body), text) {
				t.Errorf("%s %s %v", resp.Status, body, err)
			}
		})
	}

	// The signature of a layer part is over its whole body.
	user := localecr.DefaultAccounts()[0].Users[0]
	wrong := r.client(user.AccessKeyID, "wrong", "", localecr.DefaultRegion)
	_, err := wrong.UploadLayerPart(t.Context(), &ecr.UploadLayerPartInput{RepositoryName: ptr("app"), UploadId: r.start("app"), PartFirstByte: ptr(int64(0)), PartLastByte: ptr(int64(10<<20 - 1)), LayerPartBlob: make([]byte, 10<<20)})
	wantError(t, err, "InvalidSignatureException", "does not match")
}

func TestShapedConnections(t *testing.T) {
	t.Parallel()
	r, m, layer := pushed(t, localecr.Options{Shape: localecr.NetworkShape{Latency: 4 * time.Millisecond, Rate: 4 << 20}})
	if got := r.v2("GET", "/v2/app/manifests/v1", nil); !bytes.Equal(got.body, m) {
		t.Error(got.status)
	}
	req, _ := http.NewRequest("GET", r.v2("GET", "/v2/app/blobs/"+digestOf(layer), nil).header.Get("Location"), nil)
	if got := r.do(req); !bytes.Equal(got.body, layer) {
		t.Error(got.status)
	}
	at := int64(100)
	if err := r.srv.SetFaults(localecr.Fault{Op: "GET /layers/{digest}", ResetResponseAfter: &at}); err != nil {
		t.Fatal(err)
	}
	if resp, err := http.DefaultClient.Do(req); err == nil {
		defer resp.Body.Close()
		var got bytes.Buffer
		if _, err := got.ReadFrom(resp.Body); err == nil {
			t.Error(fmt.Sprint("a reset went by: ", got.Len()))
		}
	}
}
