package keys

import (
	"cmp"
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
	s.mu.Lock()
	defer s.mu.Unlock()
	k, state, err := s.find(in.KeyId)
	if err != nil {
		return nil, err
	}
	m := &types.KeyMetadata{
		AWSAccountId: aws.String(s.account),
		Arn:          aws.String(s.arn("key/" + k.id)),
		CreationDate: &k.created,
		//lint:ignore SA1019 KMS still sends it, older clients read it
		CustomerMasterKeySpec: types.CustomerMasterKeySpec(k.spec),
		DeletionDate:          state.DeletionDate,
		Description:           aws.String(""),
		Enabled:               state.KeyState == types.KeyStateEnabled,
		KeyId:                 &k.id,
		KeyManager:            types.KeyManagerTypeCustomer,
		KeySpec:               k.spec,
		KeyState:              state.KeyState,
		KeyUsage:              k.usage,
		MultiRegion:           aws.Bool(false),
		Origin:                types.OriginTypeAwsKms,
		SigningAlgorithms:     slices.Clone(k.algorithms),
		EncryptionAlgorithms:  k.encryptionAlgorithms(),
	}
	if k.alias == AliasECR {
		m.KeyManager = types.KeyManagerTypeAws
	}
	return &kms.DescribeKeyOutput{KeyMetadata: m}, nil
}

// encryptionAlgorithms is empty for a key that signs.
func (k *kind) encryptionAlgorithms() []types.EncryptionAlgorithmSpec {
	switch {
	case k.usage != types.KeyUsageTypeEncryptDecrypt:
		return nil
	case k.spec == types.KeySpecSymmetricDefault:
		return []types.EncryptionAlgorithmSpec{types.EncryptionAlgorithmSpecSymmetricDefault}
	}
	return []types.EncryptionAlgorithmSpec{types.EncryptionAlgorithmSpecRsaesOaepSha1, types.EncryptionAlgorithmSpecRsaesOaepSha256}
}

// GetPublicKey as in
// https://docs.aws.amazon.com/kms/latest/APIReference/API_GetPublicKey.html: the
// key in DER, as SubjectPublicKeyInfo. Errors as Sign, and
// *types.UnsupportedOperationException for a symmetric key.
func (s *Store) GetPublicKey(in *kms.GetPublicKeyInput) (*kms.GetPublicKeyOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, err := s.usable(in.KeyId)
	if err != nil {
		return nil, err
	}
	if k.spec == types.KeySpecSymmetricDefault {
		return nil, &types.UnsupportedOperationException{Message: aws.String(fmt.Sprintf("%s key spec is %s which is not valid for GetPublicKey.", s.arn("key/"+k.id), k.spec))}
	}
	return &kms.GetPublicKeyOutput{
		//lint:ignore SA1019 KMS still sends it, older clients read it
		CustomerMasterKeySpec: types.CustomerMasterKeySpec(k.spec),
		EncryptionAlgorithms:  k.encryptionAlgorithms(),
		KeyId:                 aws.String(s.arn("key/" + k.id)),
		KeySpec:               k.spec,
		KeyUsage:              k.usage,
		PublicKey:             slices.Clone(k.public),
		SigningAlgorithms:     slices.Clone(k.algorithms),
	}, nil
}

// Sign as in https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html,
// for a Message that is a digest (MessageType DIGEST); RAW, which is also the
// default, is refused. ECDSA signatures are DER; RSASSA-PSS has a salt as
// long as the digest. Errors as DescribeKey, and
// *types.DisabledException, *types.KMSInvalidStateException for a key that is
// to be deleted, *types.InvalidKeyUsageException where the key does not sign or
// does not have the algorithm, *types.DryRunOperationException for a DryRun
// that would have worked.
func (s *Store) Sign(in *kms.SignInput) (*kms.SignOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, err := s.usable(in.KeyId)
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
	case k.usage != types.KeyUsageTypeSignVerify:
		return nil, &types.InvalidKeyUsageException{Message: aws.String(fmt.Sprintf("%s key usage is %s which is not valid for Sign.", s.arn("key/"+k.id), k.usage))}
	case !slices.Contains(k.algorithms, in.SigningAlgorithm):
		return nil, &types.InvalidKeyUsageException{Message: aws.String(fmt.Sprintf("Algorithm %s is incompatible with key spec %s.", in.SigningAlgorithm, k.spec))}
	}
	opts, err := signerOpts(in)
	if err != nil {
		return nil, err
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

// signerOpts turns a request, whose algorithm is one of the key's, into what crypto.Signer takes. The types of messages of
// Ed25519 are those in https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html#KMS-Sign-request-SigningAlgorithm.
func signerOpts(in *kms.SignInput) (crypto.SignerOpts, error) {
	name := string(in.SigningAlgorithm)
	if in.SigningAlgorithm == types.SigningAlgorithmSpecEd25519Sha512 {
		if in.MessageType != types.MessageTypeRaw && in.MessageType != "" {
			return nil, invalid("Algorithm %s requires MessageType RAW.", name)
		}
		return crypto.Hash(0), nil
	}
	hash := crypto.SHA512
	switch {
	case strings.HasSuffix(name, "_256"):
		hash = crypto.SHA256
	case strings.HasSuffix(name, "_384"):
		hash = crypto.SHA384
	}
	switch {
	case in.MessageType != types.MessageTypeDigest && in.SigningAlgorithm == types.SigningAlgorithmSpecEd25519PhSha512:
		return nil, invalid("Algorithm %s requires MessageType DIGEST.", name)
	case in.MessageType != types.MessageTypeDigest:
		return nil, invalid("This local KMS signs digests only: hash the message and send the digest with MessageType DIGEST.")
	case len(in.Message) != hash.Size():
		return nil, invalid("Digest is invalid length for algorithm %s.", name)
	case strings.HasPrefix(name, "RSASSA_PSS_"):
		return &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash}, nil
	}
	return hash, nil
}

// usable finds a key with which something may be done.
func (s *Store) usable(name *string) (*key, error) {
	k, state, err := s.find(name)
	if err != nil {
		return nil, err
	}
	switch state.KeyState {
	case types.KeyStateDisabled:
		return nil, &types.DisabledException{Message: aws.String(s.arn("key/"+k.id) + " is disabled.")}
	case types.KeyStatePendingDeletion:
		return nil, invalidState("%s is pending deletion.", s.arn("key/"+k.id))
	}
	return k, nil
}

// find resolves a key ID, key ARN, alias name or alias ARN.
func (s *Store) find(name *string) (*key, state, error) {
	if aws.ToString(name) == "" {
		return nil, state{}, invalid("1 validation error detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null")
	}
	id := *name
	if strings.HasPrefix(id, "arn:") {
		var err error
		if id, err = s.fromARN(id); err != nil {
			return nil, state{}, err
		}
	}
	missing := notFound("Key '%s' does not exist", s.arn("key/"+id))
	if strings.HasPrefix(id, "alias/") {
		missing = notFound("Alias %s is not found.", s.arn(id))
	}
	k, err := s.lookUp(id)
	if k == nil || err != nil {
		return nil, state{}, cmp.Or(err, missing)
	}
	st, err := s.state(k)
	if err == nil && st.gone(s.now()) {
		err = missing
	}
	return k, st, err
}

// lookUp finds a key by its ID or alias/NAME, or nil.
func (s *Store) lookUp(id string) (*key, error) {
	for _, kind := range kinds {
		if id == "alias/"+kind.alias {
			return s.use(kind)
		}
	}
	if strings.HasPrefix(id, "alias/") {
		aliases, err := s.aliases()
		if err != nil {
			return nil, err
		}
		id = aliases[id]
	}
	// Another process may have made it.
	if err := s.reload(); err != nil {
		return nil, err
	}
	for _, k := range s.keys {
		if k.id == id {
			return k, nil
		}
	}
	return nil, nil
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

func invalidState(format string, args ...any) error {
	return &types.KMSInvalidStateException{Message: aws.String(fmt.Sprintf(format, args...))}
}

func invalid(format string, args ...any) error {
	return &smithy.GenericAPIError{Code: "ValidationException", Message: fmt.Sprintf(format, args...), Fault: smithy.FaultClient}
}
