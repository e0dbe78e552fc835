package ecr

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ecrkit/ecrkit/internal/calls"
	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// TestDamagedAnswers inverts some bytes of the answers of the ECR API.
func TestDamagedAnswers(t *testing.T) {
	t.Parallel()
	testDamagedAnswers(t, 91)
}

// testDamagedAnswers inverts one byte in each step of the answers of the ECR API, once: the copy
// arrives for all that, or what arrives is what was sent.
func testDamagedAnswers(t *testing.T, step int64) {
	w := newWorld(t, localecr.Options{})
	src, image, _ := fixture.Layout(t, 1)
	want := fixture.DigestOf(t, image)
	w.Create("whole", "MUTABLE")
	mustCopy(t, layout.New(src), w.repository("whole"), transfer.Options{Reference: "image", Tags: []string{"x"}})
	n := 0
	for _, op := range []string{"BatchCheckLayerAvailability", "InitiateLayerUpload", "CompleteLayerUpload", "PutImage", "BatchGetImage", "GetDownloadUrlForLayer"} {
		for at := int64(0); at < 700; at += step {
			n++
			name := fmt.Sprintf("r%d", n)
			w.Create(name, "MUTABLE")
			fixture.Check(t, w.Server.SetFaults(localecr.Fault{Op: op, WrongByte: &at}))
			if strings.HasSuffix(op, "ForLayer") || op == "BatchGetImage" {
				dst := filepath.Join(t.TempDir(), "dst")
				_, err := transfer.Copy(fixture.Context(t), w.repository("whole"), layout.New(dst), transfer.Options{Reference: "x", Tags: []string{"x"}})
				if err != nil {
					t.Errorf("%s, byte %d: %v", op, at, err)
					continue
				}
				fixture.ValidateLayout(t, dst)
				continue
			}
			_, err := transfer.Copy(fixture.Context(t), layout.New(src), w.repository(name), transfer.Options{Reference: "image", Tags: []string{"x"}})
			if err != nil {
				t.Errorf("%s, byte %d: %v", op, at, err)
				continue
			}
			fixture.Check(t, w.Server.SetFaults())
			m, err := w.repository(name).Resolve(t.Context(), "x")
			fixture.Check(t, err)
			if m.Descriptor.Digest != want {
				t.Errorf("%s, byte %d: pushed %s", op, at, m.Descriptor.Digest)
			}
		}
	}
}

// FuzzLayerAnswer has a store of layers answer anything to a request for a range.
func FuzzLayerAnswer(f *testing.F) {
	f.Add(206, "bytes 10-19/100", []byte("0123456789"))
	f.Add(206, "bytes 10-19/*", []byte("0123456789"))
	f.Add(206, "bytes 0-99/100", []byte(""))
	f.Add(206, "bytes 10-18446744073709551615/100", []byte(""))
	f.Add(200, "", bytes.Repeat([]byte{1}, 100))
	f.Add(403, "", []byte("<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"))
	f.Add(503, "", []byte("<Error><Code>SlowDown</Code></Error>"))
	f.Add(416, "bytes */100", []byte("<Error>"))
	place := &url.URL{Scheme: "https", Host: "s3.test", Path: "/layer", RawQuery: "X-Amz-Signature=canary"}
	f.Fuzz(func(t *testing.T, status int, contentRange string, body []byte) {
		l := &layerRanges{repository: &Repository{}, d: content.Descriptor{Digest: someSHA, Size: 100}}
		response := &http.Response{StatusCode: status, Status: fmt.Sprint(status), Header: http.Header{"Content-Range": {contentRange}},
			Body: io.NopCloser(bytes.NewReader(body)), Request: &http.Request{URL: place}}
		if status >= 400 {
			data, err := io.ReadAll(response.Body)
			fixture.Check(t, err)
			response.Body = io.NopCloser(bytes.NewReader(data[:min(len(data), calls.MaxRefusal)]))
		}
		err := l.check(response, 10, 10)
		if (err == nil) != (status == http.StatusPartialContent && contentRange == "bytes 10-19/100") {
			t.Errorf("%d, %q: %v", status, contentRange, err)
		}
		if err != nil && strings.Contains(err.Error(), "canary") {
			t.Errorf("the signature is in the error: %v", err)
		}
	})
}

// FuzzCheckedAnswer lets through what is UTF-8 and nothing else.
func FuzzCheckedAnswer(f *testing.F) {
	f.Add([]byte(`{"uploadId":"é"}`), 3)
	f.Add([]byte("a\xffb"), 1)
	f.Add([]byte("\xe2\x82"), 1)
	f.Fuzz(func(t *testing.T, data []byte, step int) {
		next := func(*http.Request) (*http.Response, error) {
			return &http.Response{Body: io.NopCloser(&steps{data, max(1, step)})}, nil
		}
		response, err := checkedAnswer(next)(nil)
		fixture.Check(t, err)
		got, err := io.ReadAll(response.Body)
		if (err == nil) != utf8.Valid(data) || err == nil && !bytes.Equal(got, data) {
			t.Errorf("%q: %q, %v", data, got, err)
		}
	})
}

// steps gives a few bytes at once.
type steps struct {
	data []byte
	n    int
}

func (s *steps) Read(p []byte) (int, error) {
	if len(s.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), s.n)], s.data)
	s.data = s.data[n:]
	return n, nil
}

// TestSourceFails has the body of a request fail: nothing is sent again.
func TestSourceFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localecr.Options{})
	broken := errors.New("the disk is gone")
	e := w.repository("app")
	sends := 0
	next := e.parts
	e.parts = calls.Sender(func(r *http.Request) (*http.Response, error) {
		sends++
		return calls.Watched(next.Do, e.waits)(withBodyError(r, broken))
	})
	src, _, _ := fixture.Layout(t, 0)
	_, err := transfer.Copy(fixture.Context(t), layout.New(src), e, transfer.Options{Reference: "image", Tags: []string{"x"}, Layers: 1})
	if !errors.Is(err, broken) || sends > 2 {
		t.Errorf("%d requests: %v", sends, err)
	}
}

func withBodyError(r *http.Request, err error) *http.Request {
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(io.MultiReader(io.LimitReader(r.Body, 10), fixture.Failing{Err: err}))
	return r
}
