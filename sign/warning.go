package sign

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"fmt"
)

// Warning says, in one sentence, who may fail to verify what this key signs, so that it can be told
// before anything is signed; "" if nobody does, as for ECDSA P-256. What is said of cosign was found
// out with v3.1.3.
func (s *Signer) Warning() string {
	switch public := s.Key.Public.(type) {
	case *ecdsa.PublicKey:
		if n := public.Curve.Params().BitSize; n != 256 {
			hash := map[int]string{384: "sha384", 521: "sha512"}[n]
			return fmt.Sprintf("key %s is on the curve %s: cosign verifies its signatures by the public key only with --signature-digest-algorithm %s; with a P-256 key it needs no option",
				s.Key.Name, public.Curve.Params().Name, hash)
		}
	case *rsa.PublicKey:
		if _, ok := s.signer.(KMSKey); ok {
			return fmt.Sprintf("key %s is an RSA key: cosign may take another algorithm for it when it verifies by awskms://…, and then needs the public key in a file; with a P-256 key it takes both",
				s.Key.Name)
		}
	}
	return ""
}
