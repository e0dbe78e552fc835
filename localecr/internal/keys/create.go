package keys

import (
	"crypto/elliptic"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/internal/lazyregexp"
)

// createdPrefix begins the names of the keys that CreateKey made, which have no alias by
// themselves.
const createdPrefix = "created-"

// created is the content of the file that describes such a key.
type created struct {
	Spec  types.KeySpec
	Usage types.KeyUsageType
}

// kindOf is the kind of a key that CreateKey makes.
func (c created) kind(name string) (kind, bool) {
	k := kind{name, c.Spec, c.Usage, nil, nil}
	if c.Spec == types.KeySpecSymmetricDefault && c.Usage == types.KeyUsageTypeEncryptDecrypt {
		k.generate = ofCurve(elliptic.P256())
		return k, true
	}
	for _, known := range kinds {
		if known.spec == c.Spec && known.usage == c.Usage {
			k.algorithms, k.generate = known.algorithms, known.generate
			return k, true
		}
	}
	return k, false
}

// CreateKey as in https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateKey.html,
// for keys of the kinds that the aliases have. Errors: a smithy.GenericAPIError with the
// code ValidationException, *types.UnsupportedOperationException.
func (s *Store) CreateKey(in *kms.CreateKeyInput) (*kms.CreateKeyOutput, error) {
	c := created{in.KeySpec, in.KeyUsage}
	if c.Spec == "" {
		//lint:ignore SA1019 older clients send it
		c.Spec = types.KeySpec(in.CustomerMasterKeySpec)
	}
	if c.Spec == "" {
		c.Spec = types.KeySpecSymmetricDefault
	}
	if c.Usage == "" {
		c.Usage = types.KeyUsageTypeEncryptDecrypt
	}
	random := make([]byte, 16)
	_, _ = rand.Read(random) // never fails
	kind, ok := c.kind(createdPrefix + hex.EncodeToString(random))
	switch {
	case !slices.Contains(c.Spec.Values(), c.Spec):
		return nil, invalid("1 validation error detected: Value '%s' at 'keySpec' failed to satisfy constraint: Member must satisfy enum value set: %v", c.Spec, c.Spec.Values())
	case (strings.HasPrefix(string(c.Spec), "ECC_") || strings.HasPrefix(string(c.Spec), "ML_DSA_")) && c.Usage == types.KeyUsageTypeEncryptDecrypt,
		c.Spec == types.KeySpecSymmetricDefault && c.Usage == types.KeyUsageTypeSignVerify:
		return nil, invalid("KeyUsage %s is not compatible with KeySpec %s", c.Usage, c.Spec)
	case !ok:
		return nil, &types.UnsupportedOperationException{Message: aws.String(fmt.Sprintf("The local KMS has no keys of the spec %s for %s.", c.Spec, c.Usage))}
	}
	data, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	if err := files.WriteFile(filepath.Join(s.dir, kind.alias+".json"), data, 0o600); err != nil {
		return nil, err
	}
	s.mu.Lock()
	k, err := s.use(kind)
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	out, err := s.DescribeKey(&kms.DescribeKeyInput{KeyId: &k.id})
	if err != nil {
		return nil, err
	}
	return &kms.CreateKeyOutput{KeyMetadata: out.KeyMetadata}, nil
}

// aliasName is what KMS takes as the name of an alias.
var aliasName = lazyregexp.New(`^alias/[a-zA-Z0-9/_-]{1,250}$`)

// CreateAlias as in https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateAlias.html.
// Errors: *types.NotFoundException, *types.AlreadyExistsException,
// *types.InvalidAliasNameException, ValidationException.
func (s *Store) CreateAlias(in *kms.CreateAliasInput) (*kms.CreateAliasOutput, error) {
	name := aws.ToString(in.AliasName)
	switch {
	case !aliasName.MatchString(name):
		return nil, invalid("1 validation error detected: Value '%s' at 'aliasName' failed to satisfy constraint: Member must satisfy regular expression pattern: %s", name, aliasName)
	case strings.HasPrefix(name, "alias/aws/"):
		return nil, &types.InvalidAliasNameException{Message: aws.String("Alias starting with 'alias/aws/' is reserved.")}
	case strings.HasPrefix(aws.ToString(in.TargetKeyId), "alias/"):
		return nil, invalid("Aliases must refer to keys. Not aliases")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	unlock, err := s.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	aliases, err := s.aliases()
	if err != nil {
		return nil, err
	}
	taken := aliases[name] != ""
	for _, kind := range kinds {
		taken = taken || name == "alias/"+kind.alias
	}
	if taken {
		return nil, &types.AlreadyExistsException{Message: aws.String(fmt.Sprintf("An alias with the name %s already exists", s.arn(name)))}
	}
	k, _, err := s.find(in.TargetKeyId)
	if err != nil {
		return nil, err
	}
	aliases[name] = k.id
	data, err := json.Marshal(aliases)
	if err != nil {
		return nil, err
	}
	return &kms.CreateAliasOutput{}, files.WriteFile(s.aliasFile(), data, 0o600)
}

func (s *Store) aliasFile() string { return filepath.Join(s.dir, "aliases.json") }

// aliases are those that CreateAlias made, with the IDs of their keys.
func (s *Store) aliases() (map[string]string, error) {
	aliases := map[string]string{}
	data, err := files.Read(s.aliasFile(), maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return aliases, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &aliases)
	}
	if err != nil {
		return nil, fmt.Errorf("aliases of keys: %s: %w", s.aliasFile(), err)
	}
	return aliases, nil
}

// createdKinds are the kinds of the keys that CreateKey has made.
func (s *Store) createdKinds() ([]kind, error) {
	paths, err := filepath.Glob(filepath.Join(s.dir, createdPrefix+"*[0-9a-f].json"))
	if err != nil {
		return nil, err
	}
	var all []kind
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".json")
		if strings.Contains(name, ".") {
			continue // the state of a key
		}
		data, err := files.Read(path, maxFile)
		if err != nil {
			return nil, err
		}
		var c created
		if err := json.Unmarshal(data, &c); err != nil {
			return nil, fmt.Errorf("signing key %s: %w", path, err)
		}
		if k, ok := c.kind(name); ok {
			all = append(all, k)
		}
	}
	return all, nil
}
