package awskms

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/sigstore/sigstore/pkg/signature/options"

	"github.com/ecrkit/ecrkit/internal/test/fastclock"
	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/sign"
	"github.com/ecrkit/ecrkit/transfer/content"
)

const testKeyID = "1234abcd-12ab-34cd-56ef-1234567890ab"

// kmsWorld is a local KMS and the configuration to call it.
type kmsWorld struct {
	srv   *localecr.Server
	calls *localecr.Recorder
	cfg   aws.Config
}

func newKMSWorld(t *testing.T) *kmsWorld {
	t.Helper()
	w := &kmsWorld{calls: &localecr.Recorder{}}
	accounts := append(localecr.DefaultAccounts(), localecr.Account{ID: "111122223333"})
	var err error
	if w.srv, err = localecr.New(localecr.Options{Audit: w.calls, Accounts: accounts}); err != nil {
		t.Fatal(err)
	}
	w.srv.Start(t)
	w.cfg = kmsConfig(w.srv.URL)
	return w
}

// kmsConfig retries a transient failure twice.
func kmsConfig(url string) aws.Config {
	user := localecr.DefaultAccounts()[0].Users[0]
	return aws.Config{
		Region: localecr.DefaultRegion, BaseEndpoint: &url,
		Credentials:      credentials.NewStaticCredentialsProvider(user.AccessKeyID, user.SecretAccessKey, ""),
		RetryMaxAttempts: 3,
	}
}

func (w *kmsWorld) key(t *testing.T, reference string) *Key {
	t.Helper()
	ref, err := sign.ParseKMSReference(reference)
	if err != nil {
		t.Fatal(err)
	}
	return New(w.cfg, ref)
}

func (w *kmsWorld) faults(t *testing.T, faults ...localecr.Fault) {
	t.Helper()
	if err := w.srv.SetFaults(faults...); err != nil {
		t.Fatal(err)
	}
}

// Signatures are verified with what the standard library makes of the public key, and nothing of ours.
func TestKMSSignsByKeySpec(t *testing.T) {
	w := newKMSWorld(t)
	message := []byte("a message of more than one block of any hash " + strings.Repeat("x", 5000))
	sum256, sum384, sum512 := sha256.Sum256(message), sha512.Sum384(message), sha512.Sum512(message)
	for alias, digest := range map[string][]byte{
		"ecrkit-p256": sum256[:], "ecrkit-p384": sum384[:], "ecrkit-p521": sum512[:], "ecrkit-rsa2048": sum256[:],
	} {
		t.Run(alias, func(t *testing.T) {
			k := w.key(t, "alias/"+alias)
			sig, err := k.SignMessage(bytes.NewReader(message))
			if err != nil {
				t.Fatal(err)
			}
			public, err := k.PublicKey()
			if err != nil {
				t.Fatal(err)
			}
			der, err := x509.MarshalPKIXPublicKey(public)
			if err != nil {
				t.Fatal(err)
			}
			parsed, err := x509.ParsePKIXPublicKey(der)
			if err != nil {
				t.Fatal(err)
			}
			switch parsed := parsed.(type) {
			case *ecdsa.PublicKey:
				if !ecdsa.VerifyASN1(parsed, digest, sig) {
					t.Error("the signature does not verify")
				}
			case *rsa.PublicKey:
				if err := rsa.VerifyPKCS1v15(parsed, crypto.SHA256, digest, sig); err != nil {
					t.Error(err)
				}
			}
			if err := k.VerifySignature(bytes.NewReader(sig), bytes.NewReader(message)); err != nil {
				t.Error(err)
			}
			if err := k.VerifySignature(bytes.NewReader(sig), strings.NewReader("another")); err == nil {
				t.Error("it verifies for another message")
			}
			if again, err := k.SignMessage(nil, options.WithDigest(digest)); err != nil {
				t.Error(err)
			} else if err := k.VerifySignature(bytes.NewReader(again), bytes.NewReader(message)); err != nil {
				t.Error(err)
			}
			if _, err := k.SignMessage(nil, options.WithDigest(digest[1:])); err == nil || errors.Is(err, ErrUnavailable) {
				t.Errorf("a digest of the wrong length: %v", err)
			}
		})
	}
}

func TestKMSAsksForThePublicKeyOnce(t *testing.T) {
	w := newKMSWorld(t)
	k := w.key(t, "awskms:///alias/ecrkit-p256")
	signer, err := sign.NewSigner(t.Context(), "alias/ecrkit-p256", k)
	if err != nil {
		t.Fatal(err)
	}
	const n = 5
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			if _, err := sign.SignBlob(t.Context(), sign.Blob{Content: strings.NewReader("message")}, signer); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got, signs, all := w.calls.Count("GetPublicKey"), w.calls.Count("Sign"), len(w.calls.Calls()); got != 1 || signs != n || all != n+1 {
		t.Errorf("%d GetPublicKey and %d Sign of %d calls", got, signs, all)
	}
}

func TestKMSReferences(t *testing.T) {
	w := newKMSWorld(t)
	host := strings.TrimPrefix(w.srv.URL, "http://")
	out, err := kms.NewFromConfig(w.cfg).DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: aws.String("alias/ecrkit-p256")})
	if err != nil {
		t.Fatal(err)
	}
	id, arn := *out.KeyMetadata.KeyId, *out.KeyMetadata.Arn
	for _, reference := range []string{
		"awskms:///" + id, "awskms:///" + arn, "awskms:///alias/ecrkit-p256", "awskms:///arn:aws:kms:us-east-1:000000000000:alias/ecrkit-p256",
		arn, "alias/ecrkit-p256", "awskms://" + host + "/" + id,
	} {
		if _, err := w.key(t, reference).SignMessage(strings.NewReader("message")); err != nil {
			t.Errorf("%s: %v", reference, err)
		}
	}

	t.Run("the region of an ARN wins", func(t *testing.T) {
		w := *w
		w.cfg.Region = "eu-west-1"
		if _, err := w.key(t, arn).SignMessage(strings.NewReader("message")); err != nil {
			t.Error(err)
		}
		w.cfg.Region = ""
		if _, err := w.key(t, arn).SignMessage(strings.NewReader("message")); err != nil {
			t.Error(err)
		}
	})
	t.Run("the endpoint of a reference wins", func(t *testing.T) {
		w := *w
		w.cfg.BaseEndpoint = aws.String("http://127.0.0.1:1")
		if _, err := w.key(t, "awskms://"+host+"/alias/ecrkit-p256").SignMessage(strings.NewReader("message")); err != nil {
			t.Error(err)
		}
	})
	t.Run("as the SDK is configured", func(t *testing.T) {
		for name, value := range map[string]string{
			"AWS_ENDPOINT_URL_KMS": w.srv.URL, "AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_REGION": "us-east-1",
			"AWS_USE_FIPS_ENDPOINT": "true", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_PROFILE": "",
		} {
			t.Setenv(name, value)
		}
		w := *w
		var err error
		if w.cfg, err = config.LoadDefaultConfig(t.Context(), config.WithCredentialsProvider(w.cfg.Credentials)); err != nil {
			t.Fatal(err)
		}
		if _, err := w.key(t, "alias/ecrkit-p256").SignMessage(strings.NewReader("message")); err != nil {
			t.Error(err)
		}
	})
	t.Run("no region", func(t *testing.T) {
		w := *w
		w.cfg.Region = ""
		_, err := w.key(t, "alias/ecrkit-p256").PublicKey()
		if err == nil || !strings.Contains(err.Error(), "KMS key alias/ecrkit-p256: no AWS region is set; write the key's ARN, or set AWS_REGION") {
			t.Error(err)
		}
	})
}

// No call that has the body of a message, or an algorithm other than that of the key, is ever made.
func TestKMSRequests(t *testing.T) {
	w := newKMSWorld(t)
	var bodies []string
	front := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies = append(bodies, strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "TrentService.")+" "+string(body))
		r.Body = io.NopCloser(bytes.NewReader(body))
		w.srv.ServeHTTP(rw, r)
	}))
	t.Cleanup(front.Close)
	w.cfg.BaseEndpoint = &front.URL
	if _, err := w.key(t, "alias/ecrkit-rsa2048").SignMessage(strings.NewReader("message")); err != nil {
		t.Fatal(err)
	}
	if len(bodies) != 2 || !strings.HasPrefix(bodies[0], "GetPublicKey ") || !strings.HasPrefix(bodies[1], "Sign ") ||
		!strings.Contains(bodies[1], `"MessageType":"DIGEST"`) || !strings.Contains(bodies[1], `"SigningAlgorithm":"RSASSA_PKCS1_V1_5_SHA_256"`) {
		t.Errorf("got %q", bodies)
	}
}

// A signature that is not the key's is not used, and neither is one of another key.
func TestKMSChecksTheSignature(t *testing.T) {
	w := newKMSWorld(t)
	for name, tt := range map[string]struct {
		change func(body []byte) []byte
		want   string
	}{
		"spoiled": {func(b []byte) []byte {
			return bytes.Replace(b, []byte(`"Signature":"MEU`), []byte(`"Signature":"MEQ`), 1)
		}, "was not made by the key"},
		"absent": {func([]byte) []byte { return []byte(`{}`) }, "the alias was moved meanwhile"},
	} {
		front := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			for {
				recorder := httptest.NewRecorder()
				body, _ := io.ReadAll(r.Body)
				r.Body = io.NopCloser(bytes.NewReader(body))
				w.srv.ServeHTTP(recorder, r)
				r.Body = io.NopCloser(bytes.NewReader(body))
				answer := recorder.Body.Bytes()
				if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".Sign") {
					if name == "spoiled" && !bytes.Contains(answer, []byte(`"Signature":"MEU`)) {
						continue // one of the lengths that a signature has
					}
					answer = tt.change(answer)
				}
				rw.Header().Set("Content-Type", "application/x-amz-json-1.1")
				rw.WriteHeader(recorder.Code)
				_, _ = rw.Write(answer)
				return
			}
		}))
		t.Cleanup(front.Close)
		world := *w
		world.cfg.BaseEndpoint = &front.URL
		_, err := world.key(t, "alias/ecrkit-p256").SignMessage(strings.NewReader("message"))
		if !errors.Is(err, content.ErrIntegrity) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestKMSRetriesThrottling(t *testing.T) {
	w := newKMSWorld(t)
	throttle := func(op string, count int) localecr.Fault {
		return localecr.Fault{Op: op, Count: count, Status: 400, Code: "ThrottlingException", Message: "Rate exceeded"}
	}
	w.faults(t, throttle("GetPublicKey", 3), throttle("Sign", 5))
	k := w.key(t, "alias/ecrkit-p256")
	ctx := options.WithContext(fastclock.Context(t.Context()))
	if _, err := k.SignMessage(strings.NewReader("message"), ctx); err != nil {
		t.Fatal(err)
	}
	w.faults(t, throttle("Sign", -1))
	w.calls.Reset()
	k = w.key(t, "alias/ecrkit-p256")
	_, err := k.SignMessage(strings.NewReader("message"), options.WithContext(fastclock.Context(t.Context())))
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "ThrottlingException: Rate exceeded; try again later, or ask for a higher quota") {
		t.Error(err)
	}
	if n := w.calls.Count("Sign"); n < 10 {
		t.Errorf("tried %d times", n)
	}
}

// TestKMSRetriesOnce counts the requests for a signature that fails in a transient way once,
// or for good.
func TestKMSRetriesOnce(t *testing.T) {
	w := newKMSWorld(t)
	for _, tt := range []struct {
		fault    localecr.Fault
		requests int
		want     error
	}{
		{localecr.Fault{Op: "Sign", Status: 500, Code: "KMSInternalException"}, 2, nil},
		{localecr.Fault{Op: "Sign", Status: 503}, 2, nil},
		{localecr.Fault{Op: "Sign", Count: -1, Status: 400, Code: "AccessDeniedException"}, 1, ErrAccess},
		{localecr.Fault{Op: "Sign", Count: -1, Status: 400, Code: "DisabledException"}, 1, ErrUnusable},
	} {
		w.faults(t, tt.fault)
		w.calls.Reset()
		_, err := w.key(t, "alias/ecrkit-p256").SignMessage(strings.NewReader("message"), options.WithContext(fastclock.Context(t.Context())))
		if n := w.calls.Count("Sign"); n != tt.requests || !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
			t.Errorf("%d %s: %v after %d requests, want %d", tt.fault.Status, tt.fault.Code, err, n, tt.requests)
		}
	}
}

func TestKMSRetriesDamagedAnswers(t *testing.T) {
	w := newKMSWorld(t)
	some, none := int64(9), int64(0)
	for name, fault := range map[string]localecr.Fault{"short": {ShortBody: &some}, "empty": {ShortBody: &none}} {
		for _, op := range []string{"GetPublicKey", "Sign"} {
			fault.Op, fault.Count = op, 1
			w.faults(t, fault)
			k := w.key(t, "alias/ecrkit-p256")
			if _, err := k.SignMessage(strings.NewReader("message")); err != nil {
				t.Errorf("%s answers to %s: %v", name, op, err)
			}
		}
	}
}

func TestKMSTimeout(t *testing.T) {
	w := newKMSWorld(t)
	w.faults(t, localecr.Fault{Op: "GetPublicKey", Count: -1, Stall: 300 * time.Millisecond})
	k := w.key(t, "alias/ecrkit-p256")
	k.Timeout = 10 * time.Millisecond
	_, err := k.PublicKey()
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "KMS key alias/ecrkit-p256 in us-east-1: no answer in time; check the network, the proxy settings and AWS_ENDPOINT_URL_KMS") {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	k.Timeout = 0
	if _, err := k.PublicKey(options.WithContext(ctx)); !errors.Is(err, context.Canceled) || errors.Is(err, ErrUnavailable) {
		t.Error(err)
	}
	// A failure is not kept.
	w.faults(t)
	if _, err := k.PublicKey(options.WithContext(t.Context())); err != nil {
		t.Error(err)
	}
}

func TestKMSErrors(t *testing.T) {
	w := newKMSWorld(t)
	api, ctx := kms.NewFromConfig(w.cfg), t.Context()
	arn := func(alias string) *string {
		out, err := api.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &alias})
		if err != nil {
			t.Fatal(err)
		}
		return out.KeyMetadata.Arn
	}
	if _, err := api.DisableKey(ctx, &kms.DisableKeyInput{KeyId: arn("alias/ecrkit-p384")}); err != nil {
		t.Fatal(err)
	}
	if _, err := api.ScheduleKeyDeletion(ctx, &kms.ScheduleKeyDeletionInput{KeyId: arn("alias/ecrkit-p521")}); err != nil {
		t.Fatal(err)
	}
	deny := func(op, message string) []localecr.Fault {
		return []localecr.Fault{{Op: op, Count: -1, Status: 400, Code: "AccessDeniedException", Message: message}}
	}
	answer := func(code string, status int) []localecr.Fault {
		return []localecr.Fault{{Op: "Sign", Count: -1, Status: status, Code: code, Message: "said AWS"}}
	}
	const good = "alias/ecrkit-p256"
	tests := []struct {
		name, key string
		faults    []localecr.Fault
		kind      error
		want      string
	}{
		{"no such alias", "alias/none", nil, ErrNotFound,
			"KMS key alias/none in us-east-1: kms GetPublicKey: NotFoundException: Alias arn:aws:kms:us-east-1:000000000000:alias/none is not found; check its name, the region, and with `aws sts get-caller-identity` the account"},
		{"another region", "arn:aws:kms:eu-west-1:000000000000:key/" + testKeyID, nil, ErrNotFound, "KMS key arn:aws:kms:eu-west-1:000000000000:key/" + testKeyID + ": kms GetPublicKey: NotFoundException: "},
		{"another account", "arn:aws:kms:us-east-1:111122223333:alias/release", nil, ErrAccess, "allow kms:GetPublicKey to this identity for this key; the key policy of another account has to allow it too"},
		{"disabled", "alias/ecrkit-p384", nil, ErrUnusable, "is disabled; enable it with `aws kms enable-key`, or use another key"},
		{"pending deletion", "alias/ecrkit-p521", nil, ErrUnusable, "is pending deletion; see its state with `aws kms describe-key`; a deletion that is pending ends with `aws kms cancel-key-deletion`"},
		{"encrypts", "alias/ecrkit-encrypt", nil, ErrUnusable, "KMS key alias/ecrkit-encrypt in us-east-1: its KeyUsage is ENCRYPT_DECRYPT, not SIGN_VERIFY; use a key whose KeyUsage is SIGN_VERIFY"},
		{"symmetric", "alias/ecrkit-symmetric", nil, ErrUnusable, "key spec is SYMMETRIC_DEFAULT which is not valid for GetPublicKey; use a key whose"},
		{"public key denied", good, deny("GetPublicKey", "User: u is not authorized to perform: kms:GetPublicKey"), ErrAccess, "not authorized to perform: kms:GetPublicKey; allow kms:GetPublicKey to this identity for this key"},
		{"signing denied", good, deny("Sign", "User: u is not authorized to perform: kms:Sign"), ErrAccess, "not authorized to perform: kms:Sign; allow kms:Sign to this identity for this key"},
		{"disabled meanwhile", good, answer("DisabledException", 400), ErrUnusable, "kms Sign: DisabledException: said AWS; enable it"},
		{"usage at Sign", good, answer("InvalidKeyUsageException", 400), ErrUnusable, "kms Sign: InvalidKeyUsageException: said AWS; use a key whose"},
		{"internal", good, answer("KMSInternalException", 500), ErrUnavailable, "kms Sign: KMSInternalException: said AWS; try again later"},
		{"custom key store", good, answer("KeyUnavailableException", 500), ErrUnavailable, "KeyUnavailableException: said AWS; try again later"},
		{"5xx", good, answer("", 503), ErrUnavailable, "kms Sign: "},
		{"expired", good, answer("ExpiredTokenException", 400), ErrAccess, "renew the AWS credentials in use"},
		{"cut", good, []localecr.Fault{{Op: "Sign", Count: -1, ResetResponseAfter: new(int64)}}, ErrUnavailable, "check the network, the proxy settings and AWS_ENDPOINT_URL_KMS"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w.faults(t, tt.faults...)
			signer, err := sign.NewSigner(ctx, "unused", w.key(t, tt.key))
			if err == nil {
				_, err = sign.SignBlob(ctx, sign.Blob{Content: strings.NewReader("message")}, signer)
			}
			var explained *Error
			if !errors.As(err, &explained) || explained.Key != tt.key || !errors.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "KMS key ") {
				t.Errorf("got %v\nwant …%s…", err, tt.want)
			}
			for _, other := range []error{ErrNotFound, ErrUnusable, ErrAccess, ErrUnavailable} {
				if errors.Is(err, other) && other != tt.kind {
					t.Errorf("it is %v too", other)
				}
			}
			user := localecr.DefaultAccounts()[0].Users[0]
			if strings.Contains(err.Error(), user.SecretAccessKey) || strings.Contains(err.Error(), user.AccessKeyID) || strings.Contains(err.Error(), "\n") {
				t.Errorf("a secret or more than a line: %v", err)
			}
		})
	}
}

func TestKMSNoCredentials(t *testing.T) {
	w := newKMSWorld(t)
	w.cfg.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{}, errors.New("no EC2 IMDS role found")
	})
	_, err := w.key(t, "alias/ecrkit-p256").PublicKey()
	if !errors.Is(err, ErrAccess) || !strings.Contains(err.Error(), "KMS key alias/ecrkit-p256 in us-east-1: no AWS credentials: ") || !strings.Contains(err.Error(), "set AWS_PROFILE") {
		t.Error(err)
	}
	if n := len(w.calls.Calls()); n != 0 {
		t.Errorf("%d calls", n)
	}
}

// What GetPublicKey says of a key is checked before anything is signed with it.
func TestKMSRefusesOddKeys(t *testing.T) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		out  kms.GetPublicKeyOutput
		want string
	}{
		"no usage":      {kms.GetPublicKeyOutput{KeySpec: "RSA_2048", PublicKey: der}, "KeyUsage is , not SIGN_VERIFY"},
		"key agreement": {kms.GetPublicKeyOutput{KeySpec: "ECC_NIST_P256", KeyUsage: "KEY_AGREEMENT", PublicKey: der}, "KeyUsage is KEY_AGREEMENT"},
		"secp256k1":     {kms.GetPublicKeyOutput{KeySpec: "ECC_SECG_P256K1", KeyUsage: "SIGN_VERIFY", PublicKey: der}, "KeySpec is ECC_SECG_P256K1, with which images are not signed"},
		"ML-DSA":        {kms.GetPublicKeyOutput{KeySpec: "ML_DSA_65", KeyUsage: "SIGN_VERIFY", PublicKey: der}, "KeySpec is ML_DSA_65"},
		"another size":  {kms.GetPublicKeyOutput{KeySpec: "RSA_4096", KeyUsage: "SIGN_VERIFY", PublicKey: der}, "its public key is of another kind"},
		"another kind":  {kms.GetPublicKeyOutput{KeySpec: "ECC_NIST_P256", KeyUsage: "SIGN_VERIFY", PublicKey: der}, "its public key is of another kind"},
		"no key":        {kms.GetPublicKeyOutput{KeySpec: "RSA_2048", KeyUsage: "SIGN_VERIFY"}, "its public key: "},
		"junk":          {kms.GetPublicKeyOutput{KeySpec: "RSA_2048", KeyUsage: "SIGN_VERIFY", PublicKey: der[:50]}, "its public key: "},
	} {
		if _, err := newPublicKey(&tt.out); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
