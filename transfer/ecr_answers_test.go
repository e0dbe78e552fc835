package transfer

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

	"github.com/ecrkit/ecrkit/localecr"
)

// TestDamagedAnswers inverts each byte of the answers of the ECR API, once: the copy
// arrives for all that, or what arrives is what was sent.
func TestDamagedAnswers(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	src, image, _ := newFixture(t, 0)
	want := digestOf(t, image)
	w.create("whole", "MUTABLE")
	mustCopy(t, NewLayout(src), w.repository("whole"), Options{Reference: "image", Tags: []string{"x"}})
	n := 0
	for _, op := range []string{"BatchCheckLayerAvailability", "InitiateLayerUpload", "CompleteLayerUpload", "PutImage", "BatchGetImage", "GetDownloadUrlForLayer"} {
		for at := int64(0); at < 700; at += 13 {
			n++
			name := fmt.Sprintf("r%d", n)
			w.create(name, "MUTABLE")
			check(t, w.server.SetFaults(localecr.Fault{Op: op, WrongByte: &at}))
			if strings.HasSuffix(op, "ForLayer") || op == "BatchGetImage" {
				dst := filepath.Join(t.TempDir(), "dst")
				_, err := Copy(t.Context(), w.repository("whole"), NewLayout(dst), Options{Reference: "x", Tags: []string{"x"}})
				if err != nil {
					t.Errorf("%s, byte %d: %v", op, at, err)
					continue
				}
				validateLayout(t, dst)
				continue
			}
			_, err := Copy(t.Context(), NewLayout(src), w.repository(name), Options{Reference: "image", Tags: []string{"x"}})
			if err != nil {
				t.Errorf("%s, byte %d: %v", op, at, err)
				continue
			}
			check(t, w.server.SetFaults())
			m, err := w.repository(name).Resolve(t.Context(), "x")
			check(t, err)
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
		l := &layerRanges{repository: &ECR{}, d: Descriptor{Digest: someSHA, Size: 100}}
		response := &http.Response{StatusCode: status, Status: fmt.Sprint(status), Header: http.Header{"Content-Range": {contentRange}},
			Body: io.NopCloser(bytes.NewReader(body)), Request: &http.Request{URL: place}}
		if status >= 400 {
			check(t, keepRefusal(response))
			judgeAnswer(response, nil)
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

// FuzzS3Error reads the body of a refusal.
func FuzzS3Error(f *testing.F) {
	f.Add([]byte(`<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>`))
	f.Add([]byte("<Error><Code>" + strings.Repeat("x", 9000)))
	f.Add(bytes.Repeat([]byte("<Error>"), 1000))
	f.Add([]byte("<Error><Code>AKIAIOSFODNN7EXAMPLE</Code>\n<Message>a\nb\x1b[2J</Message></Error>"))
	f.Add([]byte("<Error><Code>\u009b2J</Code></Error>"))
	f.Fuzz(func(t *testing.T, data []byte) {
		text := s3Error(bytes.NewReader(data))
		if len(text) > 1000 || strings.ContainsAny(text, "\n\r\x1b\u009b") || !utf8.ValidString(text) {
			t.Errorf("%q", text)
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
		check(t, err)
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
	w := newWorld(t, localecr.Options{})
	broken := errors.New("the disk is gone")
	e := w.repository("app")
	sends := 0
	next := e.parts
	e.parts = sender(func(r *http.Request) (*http.Response, error) {
		sends++
		return watched(next.Do, e.waits)(withBodyError(r, broken))
	})
	src, _, _ := newFixture(t, 0)
	_, err := Copy(t.Context(), NewLayout(src), e, Options{Reference: "image", Tags: []string{"x"}, Layers: 1})
	if !errors.Is(err, broken) || sends > 2 {
		t.Errorf("%d requests: %v", sends, err)
	}
}

func withBodyError(r *http.Request, err error) *http.Request {
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(io.MultiReader(io.LimitReader(r.Body, 10), failing{err}))
	return r
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
