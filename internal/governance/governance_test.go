package governance

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/localecr"
)

// open gives the registry of account in the default region, as the first user of the
// local ECR sees it.
func open(t *testing.T, o localecr.Options, account string) *Registry {
	t.Helper()
	r, _ := openServer(t, o, account)
	return r
}

// openServer gives the local ECR too.
func openServer(t *testing.T, o localecr.Options, account string) (*Registry, *localecr.Server) {
	t.Helper()
	server, err := localecr.New(o)
	if err != nil {
		t.Fatal(err)
	}
	server.Start(t)
	user := localecr.DefaultAccounts()[0].Users[0]
	cfg := aws.Config{
		Region: localecr.DefaultRegion, BaseEndpoint: &server.URL, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(user.AccessKeyID, user.SecretAccessKey, ""),
	}
	return New(cfg, auth.Registry{Host: server.Registry, Account: account, Region: localecr.DefaultRegion, Partition: "aws"}), server
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
