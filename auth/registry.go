package auth

import (
	"errors"
)

// ErrNotECR reports that a host is neither a name of Amazon ECR nor mapped to one.
var ErrNotECR = errors.New("not an Amazon ECR registry")

// Registry is one Amazon ECR registry, private (an account in a region) or ECR
// Public, and the host by which it was named.
type Registry struct {
	Host      string // lower case, with the port if it is not the scheme's own
	Account   string // 12 digits; empty for ECR Public
	Region    string // "us-east-1", where its API is
	Partition string // "aws", "aws-cn", "aws-us-gov", …
	Public    bool   // ECR Public
	FIPS      bool   // the host is a FIPS name
	DualStack bool   // the host is a dual-stack (IPv4 and IPv6) name
}

// String names the registry as account and region, "123456789012/us-east-1", or
// as "ECR Public".
func (r Registry) String() string {
	if r.Public {
		return "ECR Public"
	}
	return r.Account + "/" + r.Region
}

// Scheme is the URL scheme of the registry's /v2/ API: "http" for a loopback
// host, otherwise "https", as docker chooses it.
func (r Registry) Scheme() string { return scheme(r.Host) }

// CanonicalHost is the name of the registry that Amazon ECR documents first,
// whatever host it was named by: "123456789012.dkr.ecr.us-east-1.amazonaws.com".
func (r Registry) CanonicalHost() string {
	if r.Public {
		return "public.ecr.aws"
	}
	return r.Account + ".dkr.ecr." + r.Region + "." + partitionOf(r.Region).suffix
}
