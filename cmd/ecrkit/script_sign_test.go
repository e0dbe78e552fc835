package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/sigstore/sigstore/pkg/cryptoutils"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/sign"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/ecr"
)

// makeKeyPair is "keypair NAME [PASSWORD]": NAME.key, a private key in PKCS#8 or, with a
// password, encrypted as cosign does it, and NAME.pub.
func makeKeyPair(ts *testscript.TestScript, _ bool, args []string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	private, err := cryptoutils.MarshalPrivateKeyToPEM(key)
	ts.Check(err)
	public, err := cryptoutils.MarshalPublicKeyToPEM(&key.PublicKey)
	ts.Check(err)
	if len(args) > 1 {
		private, public, err = cryptoutils.GeneratePEMEncodedECDSAKeyPair(elliptic.P256(), func(bool) ([]byte, error) { return []byte(args[1]), nil })
		ts.Check(err)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".key"), private, 0o600))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".pub"), public, 0o600))
}

// countCalls is "count OPERATION=N...": so often these were called since the last
// time.
func countCalls(ts *testscript.TestScript, _ bool, args []string) {
	calls := ts.Value(callsKey{}).(*localecr.Recorder)
	for _, arg := range args {
		op, want, _ := strings.Cut(arg, "=")
		if got := calls.Count(op); fmt.Sprint(got) != want {
			ts.Fatalf("%d calls of %s, want %s", got, op, want)
		}
	}
	calls.Reset()
}

// setSigningFault is "signfault NAME", what happens to the signatures of KMS and to
// lists of referrers; "signfault none" ends it. The calls before are forgotten.
func setSigningFault(ts *testscript.TestScript, _ bool, args []string) {
	faults := map[string]localecr.Fault{
		"denied":    {Op: "Sign", Count: -1, Status: 400, Code: "AccessDeniedException", Message: "User is not authorized to perform: kms:Sign"},
		"disabled":  {Op: "GetPublicKey", Count: -1, Status: 400, Code: "DisabledException", Message: "The key is disabled."},
		"throttled": {Op: "Sign", Count: -1, Status: 400, Code: "ThrottlingException", Message: "Rate exceeded"},
		"passing":   {Op: "Sign", Status: 400, Code: "ThrottlingException", Message: "Rate exceeded"},
		"slow":      {Op: "Sign", Stall: 300 * time.Millisecond},
		"missing":   {Op: "GET /layers/{digest}", Count: -1, Status: 404, Code: "NoSuchKey", Message: "The specified key does not exist."},
		"referrers": {Op: "ListImageReferrers", Count: -1, Status: 400, Code: "AccessDeniedException", Message: "not authorized to perform: ecr:BatchGetImage"},
	}
	server := ts.Value(serverKey{}).(*localecr.Server)
	if args[0] == "none" {
		ts.Check(server.SetFaults())
	} else {
		ts.Check(server.SetFaults(faults[args[0]]))
	}
	ts.Value(callsKey{}).(*localecr.Recorder).Reset()
}

// tagWatch looks at a tag all the time.
type tagWatch struct {
	stop context.CancelFunc
	done sync.WaitGroup
	err  error // why it could not be looked at

	signed, unsigned atomic.Int64 // how often it was seen so
}

type watchKey struct{}

// watchTag is "watch REPOSITORY TAG FILE.pub": from now on the tag is looked at every
// millisecond, until "watched".
func watchTag(ts *testscript.TestScript, _ bool, args []string) {
	server := ts.Value(serverKey{}).(*localecr.Server)
	text, err := os.ReadFile(ts.MkAbs(args[2]))
	ts.Check(err)
	key, err := sign.ParsePublicKey(args[2], text)
	ts.Check(err)
	mapping, err := auth.ParseMapping(ts.Getenv(auth.MappingVariable))
	ts.Check(err)
	user := localecr.DefaultAccounts()[0].Users[0]
	repository := ecr.New(aws.Config{
		Region: localecr.DefaultRegion, BaseEndpoint: aws.String(server.URL),
		Credentials: credentials.NewStaticCredentialsProvider(user.AccessKeyID, user.SecretAccessKey, ""),
	}, mapping[server.Registry], args[0])
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Minute)
	w := ts.Value(watchKey{}).(*tagWatch)
	w.stop = stop
	w.done.Go(func() { w.look(ctx, repository, args[1], sign.Requirements{Keys: []*sign.Key{key}}) })
}

func (w *tagWatch) look(ctx context.Context, repository *ecr.Repository, tag string, r sign.Requirements) {
	for ; w.err == nil; time.Sleep(time.Millisecond) {
		image, err := transfer.ReadManifest(ctx, repository, tag, nil)
		if err == nil {
			_, err = sign.Verify(ctx, repository, image, r)
		}
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			w.signed.Add(1)
		case errors.Is(err, sign.ErrUnsigned):
			w.unsigned.Add(1)
		case !errors.Is(err, content.ErrNotFound):
			w.err = err
		}
	}
}

// seen waits until a counter of a watch is above 0, for two minutes at most.
func seen(n *atomic.Int64) bool {
	for range 12_000 {
		if n.Load() > 0 {
			return true
		}
		time.Sleep(10 * time.Millisecond)
	}
	return false
}

// seenUnsigned is "unsigned": it waits until the watched tag has been seen unsigned.
func seenUnsigned(ts *testscript.TestScript, _ bool, _ []string) {
	if !seen(&ts.Value(watchKey{}).(*tagWatch).unsigned) {
		ts.Fatalf("the tag was not seen unsigned")
	}
}

// watched is "watched": the tag has been seen, and never unsigned. "! watched" is that
// it has been seen unsigned, too.
func watched(ts *testscript.TestScript, neg bool, _ []string) {
	w := ts.Value(watchKey{}).(*tagWatch)
	seen(&w.signed)
	w.stop()
	w.done.Wait()
	ts.Check(w.err)
	signed, unsigned := w.signed.Swap(0), w.unsigned.Swap(0)
	ts.Logf("seen signed %d times, unsigned %d times", signed, unsigned)
	if signed == 0 || neg != (unsigned > 0) {
		ts.Fatalf("seen signed %d times, unsigned %d times", signed, unsigned)
	}
}
