package governance

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/localecr"
)

// inProcess is an HTTP client whose requests go to a handler, without a connection.
type inProcess struct{ http.Handler }

func (p inProcess) Do(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	var wire bytes.Buffer
	if err := r.Write(&wire); err != nil {
		return nil, err
	}
	received, err := http.ReadRequest(bufio.NewReader(&wire))
	if err != nil {
		return nil, err
	}
	answer := httptest.NewRecorder()
	aborted := func() (aborted any) {
		defer func() { aborted = recover() }()
		p.ServeHTTP(answer, received.WithContext(r.Context()))
		return nil
	}()
	switch {
	case r.Context().Err() != nil:
		return nil, r.Context().Err()
	case aborted == http.ErrAbortHandler:
		return nil, io.ErrUnexpectedEOF // by a fault, whatever was done before
	case aborted != nil:
		panic(aborted)
	}
	return answer.Result(), nil
}

// open returns the registry of account in the default region, as the first user of the
// local ECR sees it.
func open(t *testing.T, o localecr.Options, account string) *Registry {
	t.Helper()
	r, _ := openServer(t, o, account)
	return r
}

// openServer returns the local ECR too.
func openServer(t *testing.T, o localecr.Options, account string) (*Registry, *localecr.Server) {
	t.Helper()
	server, err := localecr.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	const host = "127.0.0.1:4510" // nothing listens: the requests go to the server in this process
	user := localecr.DefaultAccounts()[0].Users[0]
	cfg := aws.Config{
		Region: localecr.DefaultRegion, BaseEndpoint: aws.String("http://" + host), HTTPClient: inProcess{server}, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(user.AccessKeyID, user.SecretAccessKey, ""),
	}
	return New(cfg, auth.Registry{Host: host, Account: account, Region: localecr.DefaultRegion, Partition: "aws"}), server
}

func TestAccountMustBeTheRegistrys(t *testing.T) {
	if err := open(t, localecr.Options{}, "000000000000").checkAccount(context.Background()); err != nil {
		t.Error(err)
	}
	err := open(t, localecr.Options{}, "111111111111").checkAccount(context.Background())
	if !errors.Is(err, ErrOtherAccount) || !strings.Contains(err.Error(), "000000000000") || !strings.Contains(err.Error(), "use a profile or role of 111111111111") {
		t.Error(err)
	}
	refused := localecr.Options{Faults: []localecr.Fault{{Op: "GetCallerIdentity", Status: 500, Count: -1}}}
	if err := open(t, refused, "000000000000").checkAccount(context.Background()); err == nil {
		t.Error("a call that failed was taken for the right account")
	}
}
