package sign

import (
	"bytes"
	"context"
	"crypto"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"slices"

	"github.com/opencontainers/go-digest"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/options"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// maxWholeFile bounds a file that Ed25519 signs, in bytes: that algorithm reads it twice,
// so that it is in memory.
const maxWholeFile = 256 << 20

// sums are the hashes of a file over which keys sign it.
type sums struct {
	byHash map[crypto.Hash][]byte
	whole  []byte // the file itself; nil if no key needs it or it is not known
}

// hashesOf are the functions with which the algorithms of keys hash a file; 0 is among
// them if one needs the file itself.
func hashesOf(keys []*Key, allowed []Algorithm) []crypto.Hash {
	var hashes []crypto.Hash
	for _, k := range keys {
		for _, a := range algorithmsOf(k.Public) {
			if h := a.hash(); !slices.Contains(hashes, h) && (len(allowed) == 0 || slices.Contains(allowed, a)) {
				hashes = append(hashes, h)
			}
		}
	}
	return hashes
}

// sumsOf reads a file to its end, or takes its digest. SHA-256 is always among the
// sums of a file that is read.
func sumsOf(ctx context.Context, b Blob, hashes []crypto.Hash) (*sums, error) {
	s := &sums{byHash: map[crypto.Hash][]byte{}}
	if b.Content == nil {
		h, sum, err := decodeDigest(b.Digest)
		if err != nil {
			return nil, err
		}
		s.byHash[h] = sum
		return s, nil
	}
	running := map[crypto.Hash]hash.Hash{}
	var into []io.Writer
	var whole *bytes.Buffer
	for _, h := range append([]crypto.Hash{crypto.SHA256}, hashes...) {
		switch {
		case h == 0:
			whole = &bytes.Buffer{}
			into = append(into, &limited{whole, maxWholeFile})
		case running[h] == nil:
			running[h] = h.New()
			into = append(into, running[h])
		}
	}
	if _, err := io.Copy(io.MultiWriter(into...), contextReader{ctx, b.Content}); err != nil {
		return nil, err
	}
	for h, sum := range running {
		s.byHash[h] = sum.Sum(nil)
	}
	if whole != nil {
		s.whole = append([]byte{}, whole.Bytes()...) // not nil for an empty file
	}
	return s, nil
}

// digest is the SHA-256 of the file or, without it, the digest that is known.
func (s *sums) digest() digest.Digest {
	for _, h := range []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		if sum := s.byHash[h]; sum != nil {
			return digest.NewDigestFromBytes(digestAlgorithms[h], sum)
		}
	}
	return ""
}

// signedBy reports whether the key has signed the file, and how.
func (s *sums) signedBy(k *Key, sig []byte, allowed []Algorithm) (Algorithm, bool) {
	return k.verifyWith(allowed, func(a Algorithm, v signature.Verifier) bool {
		if a.hash() == 0 {
			return s.whole != nil && v.VerifySignature(bytes.NewReader(sig), bytes.NewReader(s.whole)) == nil
		}
		sum := s.byHash[a.hash()]
		return sum != nil && v.VerifySignature(bytes.NewReader(sig), nil, options.WithDigest(sum)) == nil
	})
}

// judges returns an error if nothing can be found out about a signature by one of the
// keys, because only another hash of the file is known.
func (s *sums) judges(k *Key, allowed []Algorithm) error {
	hashes := hashesOf([]*Key{k}, allowed)
	for _, h := range hashes {
		if h == 0 && s.whole != nil || s.byHash[h] != nil {
			return nil
		}
	}
	if len(hashes) == 0 {
		return nil // no algorithm of the key counts
	}
	if hashes[0] == 0 {
		return fmt.Errorf("key %s: %w: Ed25519 signs a file and not its digest; the file itself is needed", k.Name, content.ErrUnsupported)
	}
	return fmt.Errorf("key %s: %w: it signs the %s of a file; that digest is needed, or the file itself", k.Name, content.ErrUnsupported, hashes[0])
}

// digestAlgorithms name the hash functions in digests, messageAlgorithms in bundles:
// https://github.com/sigstore/protobuf-specs/blob/v0.5.2/protos/sigstore_common.proto.
var (
	digestAlgorithms  = map[crypto.Hash]digest.Algorithm{crypto.SHA256: digest.SHA256, crypto.SHA384: digest.SHA384, crypto.SHA512: digest.SHA512}
	messageAlgorithms = map[digest.Algorithm]string{digest.SHA256: "SHA2_256", digest.SHA384: "SHA2_384", digest.SHA512: "SHA2_512"}
)

// decodeDigest returns the hash function and the sum of a digest.
func decodeDigest(d digest.Digest) (crypto.Hash, []byte, error) {
	if err := d.Validate(); err != nil {
		return 0, nil, fmt.Errorf("digest %.200q: %w", string(d), err)
	}
	sum, err := hex.DecodeString(d.Encoded())
	if err != nil {
		return 0, nil, fmt.Errorf("digest %.200q: %w", string(d), err)
	}
	for h, name := range digestAlgorithms {
		if name == d.Algorithm() {
			return h, sum, nil
		}
	}
	return 0, nil, fmt.Errorf("digest %.200q: it is not sha256, sha384 or sha512", string(d))
}

// limited refuses to write more than so many bytes.
type limited struct {
	w    io.Writer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	if len(p) > l.left {
		return 0, fmt.Errorf("%w: a key of Ed25519 signs files of at most %d bytes here; sign a list of checksums instead, or use ECDSA P-256", content.ErrUnsupported, maxWholeFile)
	}
	l.left -= len(p)
	return l.w.Write(p)
}

// contextReader ends with its context.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
