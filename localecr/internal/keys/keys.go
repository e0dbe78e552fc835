// Package keys is the little of AWS KMS that signing images needs: keys that
// are made once, kept in files, and used through DescribeKey, GetPublicKey and
// Sign with the SDK's own inputs, outputs and errors, and what makes them fail:
// keys of other uses, and keys that are disabled or about to be deleted.
package keys

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/google/uuid"

	"github.com/ecrkit/ecrkit/internal/files"
)

// A kind is a key that every store has. Its algorithms are in the order in which KMS lists them.
type kind struct {
	alias      string // without "alias/"
	spec       types.KeySpec
	usage      types.KeyUsageType
	algorithms []types.SigningAlgorithmSpec // of a key that signs
	generate   func() (crypto.Signer, error)
}

var rsaAlgorithms = []types.SigningAlgorithmSpec{
	types.SigningAlgorithmSpecRsassaPkcs1V15Sha256, types.SigningAlgorithmSpecRsassaPkcs1V15Sha384, types.SigningAlgorithmSpecRsassaPkcs1V15Sha512,
	types.SigningAlgorithmSpecRsassaPssSha256, types.SigningAlgorithmSpecRsassaPssSha384, types.SigningAlgorithmSpecRsassaPssSha512,
}

// AliasECR is the alias, without "alias/", of the key that AWS KMS manages for ECR.
const AliasECR = "aws/ecr"

var kinds = []kind{
	{"ecrkit-p256", types.KeySpecEccNistP256, types.KeyUsageTypeSignVerify, []types.SigningAlgorithmSpec{types.SigningAlgorithmSpecEcdsaSha256}, ofCurve(elliptic.P256())},
	{"release", types.KeySpecEccNistP256, types.KeyUsageTypeSignVerify, []types.SigningAlgorithmSpec{types.SigningAlgorithmSpecEcdsaSha256}, ofCurve(elliptic.P256())},
	{"ecrkit-p384", types.KeySpecEccNistP384, types.KeyUsageTypeSignVerify, []types.SigningAlgorithmSpec{types.SigningAlgorithmSpecEcdsaSha384}, ofCurve(elliptic.P384())},
	{"ecrkit-p521", types.KeySpecEccNistP521, types.KeyUsageTypeSignVerify, []types.SigningAlgorithmSpec{types.SigningAlgorithmSpecEcdsaSha512}, ofCurve(elliptic.P521())},
	{"ecrkit-ed25519", types.KeySpecEccNistEdwards25519, types.KeyUsageTypeSignVerify, []types.SigningAlgorithmSpec{types.SigningAlgorithmSpecEd25519Sha512, types.SigningAlgorithmSpecEd25519PhSha512}, newEd25519},
	{"ecrkit-rsa2048", types.KeySpecRsa2048, types.KeyUsageTypeSignVerify, rsaAlgorithms, ofBits(2048)},
	{"ecrkit-rsa3072", types.KeySpecRsa3072, types.KeyUsageTypeSignVerify, rsaAlgorithms, ofBits(3072)},
	{"ecrkit-rsa4096", types.KeySpecRsa4096, types.KeyUsageTypeSignVerify, rsaAlgorithms, ofBits(4096)},
	{"ecrkit-encrypt", types.KeySpecRsa2048, types.KeyUsageTypeEncryptDecrypt, nil, ofBits(2048)},
	// A symmetric key does nothing here, so its file holds a key pair, from which its ID follows.
	{AliasECR, types.KeySpecSymmetricDefault, types.KeyUsageTypeEncryptDecrypt, nil, ofCurve(elliptic.P256())},
	{"ecrkit-symmetric", types.KeySpecSymmetricDefault, types.KeyUsageTypeEncryptDecrypt, nil, ofCurve(elliptic.P256())},
}

func ofCurve(c elliptic.Curve) func() (crypto.Signer, error) {
	return func() (crypto.Signer, error) { return ecdsa.GenerateKey(c, rand.Reader) }
}

func newEd25519() (crypto.Signer, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return key, err
}

func ofBits(n int) func() (crypto.Signer, error) {
	return func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, n) }
}

// fileName returns the name of the files of a key, without their extensions.
func (k kind) fileName() string { return strings.ReplaceAll(k.alias, "/", "-") }

// Store holds the keys of one account and region. It is safe for concurrent use.
type Store struct {
	dir, account, region string
	now                  func() time.Time

	mu   sync.Mutex
	keys map[string]*key // by alias, without "alias/"; those that were made or loaded
}

type key struct {
	kind
	id      string // a UUID
	signer  crypto.Signer
	public  []byte // DER, SubjectPublicKeyInfo
	created time.Time
}

// maxFile bounds what is read of a file, in bytes.
const maxFile = 1 << 20

// Open loads the keys in dir: PKCS#8 PEM files that only the owner can read. A key that is missing is
// made when its alias is first used: one of RSA takes a second. Several processes may open the same
// directory. account and region only appear in ARNs; now is the clock for deletions.
func Open(dir, account, region string, now func() time.Time) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("signing keys: %w", err)
	}
	s := &Store{dir: dir, account: account, region: region, now: now, keys: map[string]*key{}}
	return s, s.reload()
}

// reload loads the keys that have a file by now.
func (s *Store) reload() error {
	made, err := s.createdKinds()
	if err != nil {
		return err
	}
	for _, kind := range slices.Concat(kinds, made) {
		if s.keys[kind.alias] != nil {
			continue
		}
		signer, err := load(s.path(kind))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = s.add(kind, signer)
		}
		if err != nil {
			return fmt.Errorf("signing key %s: %w", s.path(kind), err)
		}
	}
	return nil
}

// use returns the key of a kind, which is made if it is missing.
func (s *Store) use(kind kind) (*key, error) {
	if k := s.keys[kind.alias]; k != nil {
		return k, nil
	}
	unlock, err := s.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	signer, err := load(s.path(kind))
	if errors.Is(err, fs.ErrNotExist) {
		signer, err = create(s.path(kind), kind.generate)
	}
	if err == nil {
		err = s.add(kind, signer)
	}
	if err != nil {
		return nil, fmt.Errorf("signing key %s: %w", s.path(kind), err)
	}
	return s.keys[kind.alias], nil
}

func (s *Store) path(k kind) string {
	return filepath.Join(s.dir, k.fileName()+".pem")
}

// lock keeps other processes from changing the directory.
func (s *Store) lock() (unlock func(), err error) {
	lock, err := files.Acquire(context.Background(), filepath.Join(s.dir, ".lock"))
	if err != nil {
		return nil, fmt.Errorf("signing keys in %s: %w", s.dir, err)
	}
	return lock.Release, nil
}

// add takes the content of a key's file.
func (s *Store) add(kind kind, signer crypto.Signer) error {
	if spec := specOf(signer.Public()); spec != kind.spec && kind.spec != types.KeySpecSymmetricDefault {
		return fmt.Errorf("not of the kind %s; move the file away to have a new key made", kind.spec)
	}
	public, err := x509.MarshalPKIXPublicKey(signer.Public())
	if err != nil {
		return err
	}
	info, err := os.Stat(s.path(kind))
	if err != nil {
		return err
	}
	s.keys[kind.alias] = &key{
		kind: kind,
		// The ID follows from the key, so that nothing but the key has to be kept.
		id:     uuid.NewHash(sha256.New(), uuid.NameSpaceOID, public, 8).String(),
		signer: signer, public: public, created: info.ModTime().UTC().Truncate(time.Second),
	}
	return nil
}

func load(path string) (crypto.Signer, error) {
	data, err := files.Read(path, maxFile)
	if err != nil {
		return nil, err
	}
	block, rest := pem.Decode(data)
	if block == nil || block.Type != "PRIVATE KEY" || len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("not one PKCS#8 private key in PEM; move the file away to have a new key made")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%w; move the file away to have a new key made", err)
	}
	signer, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("a %T cannot sign; move the file away to have a new key made", parsed)
	}
	return signer, nil
}

// create makes a key and its file, which appears whole or not at all.
func create(path string, generate func() (crypto.Signer, error)) (crypto.Signer, error) {
	signer, err := generate()
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(signer)
	if err != nil {
		return nil, err
	}
	return signer, files.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
}

func specOf(public crypto.PublicKey) types.KeySpec {
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			return types.KeySpecEccNistP256
		case elliptic.P384():
			return types.KeySpecEccNistP384
		case elliptic.P521():
			return types.KeySpecEccNistP521
		}
	case ed25519.PublicKey:
		return types.KeySpecEccNistEdwards25519
	case *rsa.PublicKey:
		return types.KeySpec(fmt.Sprintf("RSA_%d", k.N.BitLen()))
	}
	return ""
}
