package localecr_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/ecrkit/ecrkit/localecr"
)

// The parts of the benchmarks' layer, each of partBytes.
const (
	partBytes = 10 << 20
	partCount = 20
)

// signedPart is an UploadLayerPart request that is ready to be sent, so that a benchmark's client
// costs little.
func (r *rig) signedPart(id *string, i int, blob string) *http.Request {
	first := i * partBytes
	return r.signed("UploadLayerPart", fmt.Sprintf(`{"layerPartBlob":"%s","partFirstByte":%d,"partLastByte":%d,"repositoryName":"app","uploadId":"%s"}`, blob, first, first+partBytes-1, *id))
}

// signed is a request of an operation that is ready to be sent.
func (r *rig) signed(operation, body string) *http.Request {
	req, err := http.NewRequest("POST", r.srv.URL+"/", strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("X-Amz-Target", "AmazonEC2ContainerRegistry_V20150921."+operation)
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	user := localecr.DefaultAccounts()[0].Users[0]
	sum := sha256.Sum256([]byte(body))
	key := aws.Credentials{AccessKeyID: user.AccessKeyID, SecretAccessKey: user.SecretAccessKey}
	if err := v4.NewSigner().SignHTTP(context.Background(), key, req, hex.EncodeToString(sum[:]), "ecr", "us-east-1", time.Now()); err != nil {
		r.t.Fatal(err)
	}
	return req
}

func benchRig(b *testing.B) (r *rig, part []byte, digest string) {
	r = newRig(b, localecr.Options{Dir: b.TempDir()})
	r.repository("app")
	part = random(partBytes)
	h := sha256.New()
	for range partCount {
		h.Write(part)
	}
	b.SetBytes(partBytes * partCount)
	return r, part, "sha256:" + hex.EncodeToString(h.Sum(nil))
}

func BenchmarkUploadNative(b *testing.B) {
	r, part, digest := benchRig(b)
	blob := base64.StdEncoding.EncodeToString(part)
	for range b.N {
		b.StopTimer()
		id := r.start("app")
		var reqs []*http.Request
		for i := range partCount {
			reqs = append(reqs, r.signedPart(id, i, blob))
		}
		b.StartTimer()
		for _, req := range reqs {
			if got := r.do(req); got.status != 200 {
				b.Fatalf("%d %s", got.status, got.body)
			}
		}
		_ = r.complete("app", id, digest) // from the second time on the layer exists
	}
}

func BenchmarkUploadV2(b *testing.B) {
	r, part, digest := benchRig(b)
	for range b.N {
		var parts []io.Reader
		for range partCount {
			parts = append(parts, bytes.NewReader(part))
		}
		req, err := http.NewRequest("PUT", r.startV2("app")+"?digest="+digest, io.MultiReader(parts...))
		if err != nil {
			b.Fatal(err)
		}
		req.ContentLength = partBytes * partCount
		req.SetBasicAuth("AWS", r.token)
		if got := r.do(req); got.status != 201 {
			b.Fatalf("%d %s", got.status, got.body)
		}
	}
}
