// Package awskms signs with keys in AWS KMS.
//
//	ref, err := sign.ParseKMSReference("alias/release")
//	signer, err := sign.NewSigner(ctx, "alias/release", awskms.New(cfg, ref))
//
// The AWS identity in use needs kms:GetPublicKey and kms:Sign on the key, and nothing else.
package awskms

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go/logging"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/options"

	"github.com/ecrkit/ecrkit/internal/calls/awscalls"
	"github.com/ecrkit/ecrkit/internal/calls/retry"
	"github.com/ecrkit/ecrkit/sign"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// defaultTimeout bounds a call and its retries. KMS throttles whole accounts, and a signature is the
// last step of a release.
const defaultTimeout = time.Minute

// Key is a key in AWS KMS. It implements signature.SignerVerifier of sigstore and [sign.KMSKey], and
// may be used by several goroutines.
//
// It calls GetPublicKey once, when it first needs the public key, and Sign for each signature:
// kms:GetPublicKey and kms:Sign are all the permissions it needs. What is signed is hashed here, KMS
// gets the digest. Signatures are verified here. Its errors are [*Error].
type Key struct {
	// Timeout bounds a call and its retries; 0 is a minute.
	Timeout time.Duration

	ref    sign.KMSReference
	region string // "" if it is not known
	client *kms.Client

	mu  sync.Mutex
	key *publicKey // nil until it was asked for
}

// publicKey is what GetPublicKey returns of a key.
type publicKey struct {
	arn       string
	algorithm types.SigningAlgorithmSpec
	hash      crypto.Hash
	public    crypto.PublicKey
	verifier  signature.Verifier
}

var (
	_ signature.SignerVerifier = (*Key)(nil)
	_ sign.KMSKey              = (*Key)(nil)
)

// New returns the key that ref names. It makes no call. The region and the endpoint of ref come before those of cfg. A FIPS or
// dual-stack endpoint of cfg counts only if no endpoint is set (the SDK refuses the two together).
func New(cfg aws.Config, ref sign.KMSReference) *Key {
	if ref.Region != "" {
		cfg.Region = ref.Region
	}
	client := kms.NewFromConfig(cfg, func(o *kms.Options) {
		if ref.Endpoint != "" {
			o.BaseEndpoint = &ref.Endpoint
		}
		awscalls.PreferEndpoint(o.BaseEndpoint, &o.EndpointOptions.UseFIPSEndpoint, &o.EndpointOptions.UseDualStackEndpoint)
		o.Logger = logging.Nop{} // it would write to stderr of answers that broke off
		o.HTTPClient = awscalls.Use(retry.Default(), awscalls.Options{
			Retryer: &o.Retryer, MaxAttempts: &o.RetryMaxAttempts, APIOptions: &o.APIOptions, Credentials: o.Credentials,
		}, o.HTTPClient.Do)
	})
	return &Key{ref: ref, region: cfg.Region, client: client}
}

// KMSReference returns the name of the key.
func (k *Key) KMSReference() sign.KMSReference { return k.ref }

// PublicKey asks for the public key, unless that was done before. Of opts the context counts.
func (k *Key) PublicKey(opts ...signature.PublicKeyOption) (crypto.PublicKey, error) {
	ctx := context.Background()
	for _, opt := range opts {
		opt.ApplyContext(&ctx)
	}
	key, err := k.load(ctx)
	if err != nil {
		return nil, err
	}
	return key.public, nil
}

// SignMessage signs a message of any length. Of opts the context counts, and the digest if the
// message was hashed before. The signature is checked with the public key.
func (k *Key) SignMessage(message io.Reader, opts ...signature.SignOption) ([]byte, error) {
	ctx := context.Background()
	for _, opt := range opts {
		opt.ApplyContext(&ctx)
	}
	key, err := k.load(ctx)
	if err != nil {
		return nil, err
	}
	digest, _, err := signature.ComputeDigestForSigning(message, key.hash, []crypto.Hash{key.hash}, opts...)
	if err != nil {
		return nil, &Error{Key: k.ref.Key, Region: k.region, Err: err}
	}
	call, cancel := k.bound(ctx)
	defer cancel()
	out, err := k.client.Sign(call, &kms.SignInput{
		KeyId:            &k.ref.Key, // and not the ARN: policies may demand the alias, by kms:RequestAlias
		Message:          digest,
		MessageType:      types.MessageTypeDigest,
		SigningAlgorithm: key.algorithm,
	})
	if err != nil {
		return nil, k.fail(err)
	}
	if arn := aws.ToString(out.KeyId); arn != key.arn {
		return nil, &Error{Key: k.ref.Key, Region: k.region, Kind: content.ErrIntegrity, Next: "run this again",
			Err: fmt.Errorf("the alias was moved meanwhile, from %s to %s", key.arn, arn)}
	}
	if err := key.verifier.VerifySignature(bytes.NewReader(out.Signature), nil, options.WithDigest(digest)); err != nil {
		return nil, &Error{Key: k.ref.Key, Region: k.region, Kind: content.ErrIntegrity, Next: "see what answers in the place of AWS KMS",
			Err: errors.New("the signature that came back was not made by the key for this message")}
	}
	return out.Signature, nil
}

// VerifySignature checks a signature with the public key. Of opts the context counts, and the digest
// if the message was hashed before.
func (k *Key) VerifySignature(sig, message io.Reader, opts ...signature.VerifyOption) error {
	ctx := context.Background()
	for _, opt := range opts {
		opt.ApplyContext(&ctx)
	}
	key, err := k.load(ctx)
	if err != nil {
		return err
	}
	return key.verifier.VerifySignature(sig, message, opts...)
}

func (k *Key) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	timeout := k.Timeout
	if timeout == 0 {
		timeout = defaultTimeout
	}
	return context.WithTimeout(ctx, timeout)
}

// load asks for the public key the first time. A failure is not kept.
func (k *Key) load(ctx context.Context) (*publicKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.key != nil {
		return k.key, nil
	}
	if k.region == "" {
		return nil, &Error{Key: k.ref.Key, Err: errors.New("no AWS region is set"), Next: "write the key's ARN, or set AWS_REGION or the region of the profile"}
	}
	call, cancel := k.bound(ctx)
	defer cancel()
	out, err := k.client.GetPublicKey(call, &kms.GetPublicKeyInput{KeyId: &k.ref.Key})
	if err != nil {
		return nil, k.fail(err)
	}
	key, err := newPublicKey(out)
	if err != nil {
		return nil, &Error{Key: k.ref.Key, Region: k.region, Kind: ErrUnusable, Err: err, Next: usableKey}
	}
	k.key = key
	return key, nil
}

// newPublicKey chooses the algorithm by the kind of the key: the order in which KMS lists a key's
// algorithms means nothing, and whoever verifies knows the public key alone.
func newPublicKey(out *kms.GetPublicKeyOutput) (*publicKey, error) {
	if out.KeyUsage != types.KeyUsageTypeSignVerify {
		return nil, fmt.Errorf("its KeyUsage is %s, not SIGN_VERIFY", out.KeyUsage)
	}
	key := &publicKey{arn: aws.ToString(out.KeyId)}
	switch out.KeySpec {
	case types.KeySpecEccNistP256:
		key.algorithm, key.hash = types.SigningAlgorithmSpecEcdsaSha256, crypto.SHA256
	case types.KeySpecEccNistP384:
		key.algorithm, key.hash = types.SigningAlgorithmSpecEcdsaSha384, crypto.SHA384
	case types.KeySpecEccNistP521:
		key.algorithm, key.hash = types.SigningAlgorithmSpecEcdsaSha512, crypto.SHA512
	case types.KeySpecRsa2048, types.KeySpecRsa3072, types.KeySpecRsa4096:
		key.algorithm, key.hash = types.SigningAlgorithmSpecRsassaPkcs1V15Sha256, crypto.SHA256
	default:
		return nil, fmt.Errorf("its KeySpec is %s, with which images are not signed", out.KeySpec)
	}
	var err error
	if key.public, err = x509.ParsePKIXPublicKey(out.PublicKey); err != nil {
		return nil, fmt.Errorf("its public key: %w", err)
	}
	if spec := keySpec(key.public); spec != out.KeySpec {
		return nil, fmt.Errorf("its KeySpec is %s, but its public key is of another kind", out.KeySpec)
	}
	key.verifier, err = signature.LoadVerifier(key.public, key.hash)
	return key, err
}

// keySpec is the KeySpec of a public key, or "".
func keySpec(public crypto.PublicKey) types.KeySpec {
	switch public := public.(type) {
	case *ecdsa.PublicKey:
		switch public.Curve.Params().BitSize {
		case 256:
			return types.KeySpecEccNistP256
		case 384:
			return types.KeySpecEccNistP384
		case 521:
			return types.KeySpecEccNistP521
		}
	case *rsa.PublicKey:
		return types.KeySpec(fmt.Sprintf("RSA_%d", public.N.BitLen()))
	}
	return ""
}
