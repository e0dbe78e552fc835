// Package authority issues certificates for the names by which clients call a local ECR, and serves HTTPS and plain HTTP
// on one port.
package authority

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/ecrkit/ecrkit/internal/files"
)

// The files in the directory of a certificate authority.
const (
	// CAFile is the certificate of the authority, in PEM.
	CAFile = "ca.pem"
	// CABundleFile has the certificates that the machine trusts and that of the authority, for clients that take one file
	// in the place of the machine's.
	CABundleFile = "bundle.pem"

	caKeyFile = "ca.key"
	lockFile  = "ca.lock"
)

const (
	caLifetime   = 10 * 365 * 24 * time.Hour
	leafLifetime = 90 * 24 * time.Hour
	maxLeaves    = 1000 // that are kept; further names get a new one for each connection
)

// systemBundles are where Linux distributions and BSDs have the certificates that the machine trusts, as in crypto/x509.
var systemBundles = []string{
	"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/pki/tls/cacert.pem",
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/cert.pem",
}

// Authority issues certificates for the names by which clients call the server.
type Authority struct {
	Certificate *x509.Certificate
	key         *ecdsa.PrivateKey

	mu     sync.Mutex
	leaves map[string]*tls.Certificate // by host name, or by address for clients that send no name
}

// Open reads the authority in dir, or makes one that is valid for ten years. Whoever has its key can act as any
// host to clients that trust the authority, so only the owner can read it. Programs that open a directory at the same time
// wait for each other.
func Open(ctx context.Context, dir string) (*Authority, error) {
	a := &Authority{leaves: map[string]*tls.Certificate{}}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	lock, err := files.Acquire(ctx, filepath.Join(dir, lockFile))
	if err != nil {
		return nil, err
	}
	defer lock.Release()
	pair, err := readPair(filepath.Join(dir, CAFile), filepath.Join(dir, caKeyFile))
	_, certificate := os.Lstat(filepath.Join(dir, CAFile))
	switch {
	case errors.Is(err, fs.ErrNotExist) && certificate == nil: // it may be another program's
		return nil, fmt.Errorf("%s has %s without %s; use another directory, or remove %s to have an authority made", dir, CAFile, caKeyFile, CAFile)
	case errors.Is(err, fs.ErrNotExist):
		if pair, err = createAuthority(dir); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, fmt.Errorf("%s: %w; remove %s and %s to have another authority made", dir, err, CAFile, caKeyFile)
	}
	a.Certificate = pair.Leaf
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	switch {
	case !ok || !a.Certificate.IsCA:
		return nil, fmt.Errorf("%s has the certificate of another program; use another directory", dir)
	case time.Now().Add(leafLifetime).After(a.Certificate.NotAfter):
		return nil, fmt.Errorf("the certificate %s expires on %s: remove %s and %s to have another one made",
			filepath.Join(dir, CAFile), a.Certificate.NotAfter.Format(time.DateOnly), CAFile, caKeyFile)
	}
	a.key = key
	return a, writeBundle(dir, a.Certificate)
}

// readPair is [tls.LoadX509KeyPair], but does not wait for the writer of a named pipe.
func readPair(certificate, key string) (tls.Certificate, error) {
	const limit = 1 << 20 // bytes
	certPEM, err := files.Read(certificate, limit)
	if err != nil {
		return tls.Certificate{}, err
	}
	keyPEM, err := files.Read(key, limit)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(certPEM, keyPEM)
}

func createAuthority(dir string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: serialNumber(), Subject: pkix.Name{CommonName: "ecrkit local " + now.Format(time.DateOnly)},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(caLifetime),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return tls.Certificate{}, err
	}
	certPEM, keyPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
	// The key first: a certificate without its key would be an error at the next start.
	if err := files.WriteFile(filepath.Join(dir, caKeyFile), keyPEM, 0o600); err != nil {
		return tls.Certificate{}, err
	}
	if err := files.WriteFile(filepath.Join(dir, CAFile), certPEM, 0o644); err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(certPEM, keyPEM)
}

// writeBundle writes the certificates that the machine trusts and that of the authority to one file.
func writeBundle(dir string, ca *x509.Certificate) error {
	var bundle []byte
	for _, path := range systemBundles {
		data, err := os.ReadFile(path)
		if err == nil {
			bundle = append(data, '\n')
			break
		}
	}
	bundle = append(bundle, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Raw})...)
	return files.WriteFile(filepath.Join(dir, CABundleFile), bundle, 0o644)
}

// serialNumber is a random one of 127 bits.
func serialNumber() *big.Int {
	n, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)) // never fails
	return n
}

// config is that of a server whose clients call it by any name.
func (a *Authority) config() *tls.Config {
	return &tls.Config{GetCertificate: a.leaf, NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS12}
}

// leaf returns a certificate for the name that a client has called, or for the address if it sends no name.
func (a *Authority) leaf(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	template := &x509.Certificate{}
	name := hello.ServerName
	if name == "" {
		host, _, err := net.SplitHostPort(hello.Conn.LocalAddr().String())
		if err != nil {
			return nil, err
		}
		name = host
		template.IPAddresses = []net.IP{net.ParseIP(host), net.IPv4(127, 0, 0, 1), net.IPv6loopback}
		template.DNSNames = []string{"localhost"}
	} else {
		template.DNSNames = []string{name}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	if leaf := a.leaves[name]; leaf != nil && now.Before(leaf.Leaf.NotAfter.Add(-time.Hour)) {
		return leaf, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template.SerialNumber, template.Subject = serialNumber(), pkix.Name{CommonName: "ecrkit local"}
	template.NotBefore, template.NotAfter = now.Add(-time.Hour), now.Add(leafLifetime)
	template.KeyUsage, template.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	der, err := x509.CreateCertificate(rand.Reader, template, a.Certificate, key.Public(), a.key)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	leaf := &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: parsed}
	if len(a.leaves) < maxLeaves {
		a.leaves[name] = leaf
	}
	return leaf, nil
}
