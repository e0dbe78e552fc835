// Package keys is the little of AWS KMS that signing images needs: three
// signing keys that are made once, kept in files, and used through
// DescribeKey, GetPublicKey and Sign with the SDK's own inputs, outputs and
// errors.
package keys

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
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
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/gofrs/flock"
	"github.com/google/uuid"
)

// kinds are the keys that every store has. The algorithms are in the order in
// which KMS lists them.
var kinds = []struct {
	alias      string // without "alias/"; also the file's name
	spec       types.KeySpec
	algorithms []types.SigningAlgorithmSpec
	generate   func() (crypto.Signer, error)
}{
	{"ecrkit-p256", types.KeySpecEccNistP256,
		[]types.SigningAlgorithmSpec{types.SigningAlgorithmSpecEcdsaSha256},
		func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }},
	{"ecrkit-p384", types.KeySpecEccNistP384,
		[]types.SigningAlgorithmSpec{types.SigningAlgorithmSpecEcdsaSha384},
		func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P384(), rand.Reader) }},
	{"ecrkit-rsa2048", types.KeySpecRsa2048,
		[]types.SigningAlgorithmSpec{
			types.SigningAlgorithmSpecRsassaPkcs1V15Sha256, types.SigningAlgorithmSpecRsassaPkcs1V15Sha384, types.SigningAlgorithmSpecRsassaPkcs1V15Sha512,
			types.SigningAlgorithmSpecRsassaPssSha256, types.SigningAlgorithmSpecRsassaPssSha384, types.SigningAlgorithmSpecRsassaPssSha512},
		func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 2048) }},
}

// Store holds the keys of one account and region. It is safe for concurrent use.
type Store struct {
	account, region string
	keys            []key
}

type key struct {
	id         string // a UUID
	alias      string // with "alias/"
	spec       types.KeySpec
	algorithms []types.SigningAlgorithmSpec
	signer     crypto.Signer
	public     []byte // DER, SubjectPublicKeyInfo
	created    time.Time
}

// Open loads the keys in dir and makes those that are missing: alias/ecrkit-p256,
// alias/ecrkit-p384 and alias/ecrkit-rsa2048, as PKCS#8 PEM files that only the
// owner can read. Several processes may open the same directory. account and
// region only appear in ARNs.
func Open(dir, account, region string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("signing keys: %w", err)
	}
	lock := flock.New(filepath.Join(dir, ".lock"), flock.SetPermissions(0o600))
	if err := lock.Lock(); err != nil {
		return nil, fmt.Errorf("signing keys in %s: locking: %w", dir, err)
	}
	defer lock.Unlock()

	s := &Store{account: account, region: region}
	for _, kind := range kinds {
		path := filepath.Join(dir, kind.alias+".pem")
		signer, err := load(path)
		if errors.Is(err, fs.ErrNotExist) {
			signer, err = create(path, kind.generate)
		}
		if err != nil {
			return nil, fmt.Errorf("signing key %s: %w", path, err)
		}
		if specOf(signer.Public()) != kind.spec {
			return nil, fmt.Errorf("signing key %s is not of the kind %s; move the file away to have a new key made", path, kind.spec)
		}
		public, err := x509.MarshalPKIXPublicKey(signer.Public())
		if err != nil {
			return nil, fmt.Errorf("signing key %s: %w", path, err)
		}
		info, err := os.Stat(path)
		if err != nil {
			return nil, fmt.Errorf("signing key %s: %w", path, err)
		}
		s.keys = append(s.keys, key{
			// The ID follows from the key, so that nothing but the key has to be kept.
			id:    uuid.NewHash(sha256.New(), uuid.NameSpaceOID, public, 8).String(),
			alias: "alias/" + kind.alias, spec: kind.spec, algorithms: kind.algorithms,
			signer: signer, public: public, created: info.ModTime().UTC().Truncate(time.Second),
		})
	}
	return s, nil
}

func load(path string) (crypto.Signer, error) {
	data, err := os.ReadFile(path)
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
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // with mode 0600
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name()) // fails once renamed
	err = pem.Encode(f, &pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, err
	}
	return signer, os.Rename(f.Name(), path)
}

func specOf(public crypto.PublicKey) types.KeySpec {
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			return types.KeySpecEccNistP256
		case elliptic.P384():
			return types.KeySpecEccNistP384
		}
	case *rsa.PublicKey:
		if k.Size() == 2048/8 {
			return types.KeySpecRsa2048
		}
	}
	return ""
}
