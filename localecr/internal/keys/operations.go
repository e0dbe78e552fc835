package keys

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"
)

// DescribeKey as in
// https://docs.aws.amazon.com/kms/latest/APIReference/API_DescribeKey.html.
// Errors: *types.NotFoundException, or a smithy.GenericAPIError with the code
// ValidationException.
func (s *Store) DescribeKey(in *kms.DescribeKeyInput) (*kms.DescribeKeyOutput, error) {
	k, err := s.find(in.KeyId)
	if err != nil {
		return nil, err
	}
	return &kms.DescribeKeyOutput{KeyMetadata: &types.KeyMetadata{
		AWSAccountId: aws.String(s.account),
		Arn:          aws.String(s.arn("key/" + k.id)),
		CreationDate: &k.created,
		//lint:ignore SA1019 KMS still sends it, older clients read it
		CustomerMasterKeySpec: types.CustomerMasterKeySpec(k.spec),
		Description:           aws.String(""),
		Enabled:               true,
		KeyId:                 &k.id,
		KeyManager:            types.KeyManagerTypeCustomer,
		KeySpec:               k.spec,
		KeyState:              types.KeyStateEnabled,
		KeyUsage:              types.KeyUsageTypeSignVerify,
		MultiRegion:           aws.Bool(false),
		Origin:                types.OriginTypeAwsKms,
		SigningAlgorithms:     slices.Clone(k.algorithms),
	}}, nil
}

// GetPublicKey as in
// https://docs.aws.amazon.com/kms/latest/APIReference/API_GetPublicKey.html: the
// key in DER, as SubjectPublicKeyInfo. Errors as DescribeKey.
func (s *Store) GetPublicKey(in *kms.GetPublicKeyInput) (*kms.GetPublicKeyOutput, error) {
	k, err := s.find(in.KeyId)
	if err != nil {
		return nil, err
	}
	return &kms.GetPublicKeyOutput{
		//lint:ignore SA1019 KMS still sends it, older clients read it
		CustomerMasterKeySpec: types.CustomerMasterKeySpec(k.spec),
		KeyId:                 aws.String(s.arn("key/" + k.id)),
		KeySpec:               k.spec,
		KeyUsage:              types.KeyUsageTypeSignVerify,
		PublicKey:             slices.Clone(k.public),
		SigningAlgorithms:     slices.Clone(k.algorithms),
	}, nil
}

// Sign as in https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html,
// for a Message that is a digest (MessageType DIGEST); RAW, which is also the
// default, is refused. ECDSA signatures are DER; RSASSA-PSS has a salt as
// long as the digest. Errors as DescribeKey, and
// *types.InvalidKeyUsageException where the key does not have the algorithm,
// *types.DryRunOperationException for a DryRun that would have worked.
func (s *Store) Sign(in *kms.SignInput) (*kms.SignOutput, error) {
	k, err := s.find(in.KeyId)
	if err != nil {
		return nil, err
	}
	switch {
	case len(in.Message) == 0:
		return nil, invalid("1 validation error detected: Value at 'message' failed to satisfy constraint: Member must have length greater than or equal to 1")
	case len(in.Message) > 4096:
		return nil, invalid("1 validation error detected: Value at 'message' failed to satisfy constraint: Member must have length less than or equal to 4096")
	case in.SigningAlgorithm == "":
		return nil, invalid("1 validation error detected: Value null at 'signingAlgorithm' failed to satisfy constraint: Member must not be null")
	case !slices.Contains(in.SigningAlgorithm.Values(), in.SigningAlgorithm):
		return nil, invalid("1 validation error detected: Value '%s' at 'signingAlgorithm' failed to satisfy constraint: Member must satisfy enum value set: %v",
			in.SigningAlgorithm, in.SigningAlgorithm.Values())
	case !slices.Contains(k.algorithms, in.SigningAlgorithm):
		return nil, &types.InvalidKeyUsageException{Message: aws.String(fmt.Sprintf("Algorithm %s is incompatible with key spec %s.", in.SigningAlgorithm, k.spec))}
	case in.MessageType != types.MessageTypeDigest:
		return nil, invalid("This local KMS signs digests only: hash the message and send the digest with MessageType DIGEST.")
	}
	opts := signerOpts(in.SigningAlgorithm)
	if len(in.Message) != opts.HashFunc().Size() {
		return nil, invalid("Digest is invalid length for algorithm %s.", in.SigningAlgorithm)
	}
	if aws.ToBool(in.DryRun) {
		return nil, &types.DryRunOperationException{Message: aws.String("The request would have succeeded, but the DryRun option is set.")}
	}
	signature, err := k.signer.Sign(rand.Reader, in.Message, opts)
	if err != nil {
		return nil, fmt.Errorf("signing with %s: %w", k.alias, err)
	}
	return &kms.SignOutput{KeyId: aws.String(s.arn("key/" + k.id)), Signature: signature, SigningAlgorithm: in.SigningAlgorithm}, nil
}

// signerOpts turns a name such as RSASSA_PSS_SHA_256 into what crypto.Signer
// takes. The name must be one of a key's algorithms.
func signerOpts(algorithm types.SigningAlgorithmSpec) crypto.SignerOpts {
	name := string(algorithm)
	hash := crypto.SHA512
	switch {
	case strings.HasSuffix(name, "_256"):
		hash = crypto.SHA256
	case strings.HasSuffix(name, "_384"):
		hash = crypto.SHA384
	}
	if strings.HasPrefix(name, "RSASSA_PSS_") {
		return &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash}
	}
	return hash
}

// find resolves a key ID, key ARN, alias name or alias ARN.
func (s *Store) find(name *string) (key, error) {
	if aws.ToString(name) == "" {
		return key{}, invalid("1 validation error detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null")
	}
	id := *name
	if strings.HasPrefix(id, "arn:") {
		var err error
		if id, err = s.fromARN(id); err != nil {
			return key{}, err
		}
	}
	for _, k := range s.keys {
		if id == k.id || id == k.alias {
			return k, nil
		}
	}
	if strings.HasPrefix(id, "alias/") {
		return key{}, notFound("Alias %s is not found.", s.arn(id))
	}
	return key{}, notFound("Key '%s' does not exist", s.arn("key/"+id))
}

// fromARN returns the key ID or "alias/NAME" of an ARN in this region and account.
func (s *Store) fromARN(arn string) (string, error) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[1] != "aws" || parts[2] != "kms" {
		return "", notFound("Invalid arn %s", arn)
	}
	if parts[3] != s.region {
		return "", notFound("Invalid arn %s", parts[3])
	}
	isAlias := strings.HasPrefix(parts[5], "alias/")
	id, isKey := strings.CutPrefix(parts[5], "key/")
	switch {
	case !isAlias && (!isKey || strings.Contains(id, "/")):
		return "", notFound("Invalid arn %s", arn)
	case isAlias && parts[4] != s.account:
		return "", notFound("Alias %s is not found.", arn)
	case parts[4] != s.account:
		return "", notFound("Key '%s' does not exist", arn)
	}
	return id, nil
}

func (s *Store) arn(resource string) string {
	return "arn:aws:kms:" + s.region + ":" + s.account + ":" + resource
}

func notFound(format string, args ...any) error {
	return &types.NotFoundException{Message: aws.String(fmt.Sprintf(format, args...))}
}

func invalid(format string, args ...any) error {
	return &smithy.GenericAPIError{Code: "ValidationException", Message: fmt.Sprintf(format, args...), Fault: smithy.FaultClient}
}
