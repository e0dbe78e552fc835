package sign

import (
	"github.com/ecrkit/ecrkit/transfer/content"
)

// Source is where an image and its signatures are read: a repository or an OCI
// layout.
type Source interface {
	content.Source
	content.ReferrerLister
}

// Store is where an image is signed.
type Store interface {
	content.Endpoint
	content.ReferrerLister
}

// Format is a form of signatures in a registry.
type Format string

// The formats.
const (
	FormatBundle Format = "bundle"  // Sigstore bundle v0.3 as a referrer
	FormatLegacy Format = "legacy"  // simple signing, tag sha256-HEX.sig
	FormatOCI11  Format = "oci-1-1" // simple signing as a referrer; read only
)
