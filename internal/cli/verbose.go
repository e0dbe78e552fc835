package cli

import (
	"context"
	"fmt"
	"net/http"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/ecrkit/ecrkit/internal/calls"
)

// logCalls is the SDK option that writes a line for each attempt of a call:
// service, operation, host, status and time. Neither header nor body is shown.
func (app *App) logCalls() func(*config.LoadOptions) error {
	log := middleware.DeserializeMiddlewareFunc("ecrkitLogCalls", func(
		ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler,
	) (middleware.DeserializeOutput, middleware.Metadata, error) {
		start := app.Now()
		out, metadata, err := next.HandleDeserialize(ctx, in)
		host, status := "", "no answer"
		if request, ok := in.Request.(*smithyhttp.Request); ok {
			host = request.URL.Host
		}
		if response, ok := out.RawResponse.(*smithyhttp.Response); ok {
			status = fmt.Sprint(response.StatusCode)
		}
		app.logLine(start, "aws %s %s %s %s", awsmiddleware.GetServiceID(ctx), awsmiddleware.GetOperationName(ctx), host, status)
		return out, metadata, err
	})
	return config.WithAPIOptions([]func(*middleware.Stack) error{
		func(stack *middleware.Stack) error { return stack.Deserialize.Add(log, middleware.Before) },
	})
}

// logRequests writes a line for each HTTP request. The query of a URL is not
// shown: in a pre-signed URL it is a credential.
func (app *App) logRequests(next http.RoundTripper) http.RoundTripper {
	if next == nil {
		next = calls.NewTransport()
	}
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		start := app.Now()
		response, err := next.RoundTrip(r)
		status := "no answer"
		if err == nil {
			status = fmt.Sprint(response.StatusCode)
		}
		app.logLine(start, "http %s %s://%s%s %s", r.Method, r.URL.Scheme, r.URL.Host, r.URL.EscapedPath(), status)
		return response, err
	})
}

func (app *App) logLine(start time.Time, format string, args ...any) {
	took := app.Now().Sub(start).Round(time.Millisecond)
	if app.callLog != nil {
		app.callLog.Info("call", "call", fmt.Sprintf(format, args...), "duration", took.String())
		return
	}
	fmt.Fprintf(app.Stderr, format+" %v\n", append(args, took)...)
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
