package fakeaws

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

const getToken = "GetAuthorizationToken"

func TestFaults(t *testing.T) {
	w, home := visit(t, Options{})
	Setenv(t, w.Env(home, w.Principals.User("A").Env()...))
	var api smithy.APIError

	t.Run("status", func(t *testing.T) {
		w.ECR.SetFault(getToken, Fault{Status: http.StatusBadRequest, Code: "AccessDeniedException", Message: "not you"})
		_, err := private(t.Context(), once)
		if !errors.As(err, &api) || api.ErrorCode() != "AccessDeniedException" || api.ErrorMessage() != "not you" {
			t.Error(err)
		}
	})
	t.Run("status that the SDK knows", func(t *testing.T) {
		w.ECR.SetFault(getToken, Fault{Status: http.StatusInternalServerError, Code: "ServerException", Message: "we"})
		_, err := private(t.Context(), once)
		var server *types.ServerException
		if !errors.As(err, &server) {
			t.Error(err)
		}
	})
	t.Run("any operation, twice", func(t *testing.T) {
		w.ECR.SetFault(getToken, Fault{})
		w.ECR.SetFault("", Fault{Status: http.StatusServiceUnavailable, Code: "x", Count: 2})
		for want := 2; want >= 0; want-- {
			_, err := private(t.Context(), once)
			var response *smithyhttp.ResponseError
			if failed := errors.As(err, &response) && response.HTTPStatusCode() == http.StatusServiceUnavailable; failed != (want > 0) {
				t.Errorf("%d failures to go: %v", want, err)
			}
		}
	})
	t.Run("latency", func(t *testing.T) {
		w.ECR.SetFault(getToken, Fault{Latency: time.Millisecond})
		if secret, err := private(t.Context(), once); err != nil || Principal(secret) != "user/A" {
			t.Error(err)
		}
	})
	t.Run("garbage", func(t *testing.T) {
		w.ECR.SetFault(getToken, Fault{Garbage: true})
		if _, err := private(t.Context(), once); err == nil {
			t.Error("a captive portal's page is a token")
		}
	})
	t.Run("reset", func(t *testing.T) {
		w.ECR.SetFault(getToken, Fault{Reset: true})
		_, err := private(t.Context(), once)
		var sending *smithyhttp.RequestSendError
		if !errors.As(err, &sending) {
			t.Error(err)
		}
	})
	t.Run("hang", func(t *testing.T) {
		w.ECR.Reset()
		w.ECR.SetFault(getToken, Fault{Hang: true})
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			defer cancel()
			_ = w.ECR.Wait(ctx, getToken, 1)
		}()
		if _, err := private(ctx, once); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if w.ECR.Count(getToken) != 1 {
			t.Errorf("%v", w.ECR.Calls())
		}
	})
	t.Run("down and up again", func(t *testing.T) {
		w.ECR.SetFault(getToken, Fault{})
		if err := w.ECR.Close(); err != nil {
			t.Fatal(err)
		}
		_, err := private(t.Context(), once)
		var refused *net.OpError
		if !errors.As(err, &refused) || refused.Op != "dial" {
			t.Error(err)
		}
		if err := w.ECR.Listen(); err != nil {
			t.Fatal(err)
		}
		if err := w.ECR.Listen(); err == nil {
			t.Error("it listens twice")
		}
		if _, err := private(t.Context(), once); err != nil {
			t.Error(err)
		}
	})
}

// TestCloseEndsHangs closes a server in the middle of a call that it never answers.
func TestCloseEndsHangs(t *testing.T) {
	for name, f := range map[string]Fault{"hang": {Hang: true}, "latency": {Latency: time.Hour}} {
		t.Run(name, func(t *testing.T) {
			s := NewPublic(NewPrincipals(nil))
			s.SetFault("", f)
			if err := s.Listen(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() {
				response, err := http.Post(s.URL, "text/plain", strings.NewReader("x"))
				if err == nil {
					err = response.Body.Close()
				}
				ended <- err
			}()
			if err := s.Wait(t.Context(), "POST /", 1); err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(s.Close(), s.Close()); err != nil {
				t.Error(err)
			}
			if err := <-ended; err == nil {
				t.Error("a call that was never answered succeeded")
			}
		})
	}
}

// failing is a TB that ends at the first failure, as a test does.
type failing struct{ failure string }

func (*failing) Helper()                          {}
func (*failing) Cleanup(func())                   {}
func (f *failing) Fatalf(format string, _ ...any) { f.failure = format; panic(f) }

func TestStartFails(t *testing.T) {
	w := Start(t, Options{})
	for name, start := range map[string]func(TB){"server": w.ECR.Start, "black hole": w.BlackHole.Start} {
		f := &failing{}
		func() {
			defer func() { _ = recover() }()
			start(f)
		}()
		if f.failure == "" {
			t.Errorf("%s: started twice", name)
		}
	}
}
