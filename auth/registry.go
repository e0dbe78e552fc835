package auth

import (
	"fmt"

	"github.com/ecrkit/ecrkit/internal/ecrhost"
)

// ErrNotECR reports that a host is neither a name of Amazon ECR nor mapped to one.
var ErrNotECR = ecrhost.ErrNotECR

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
func (r Registry) Scheme() string { return ecrhost.Scheme(r.Host) }

// CanonicalHost is the name of the registry that Amazon ECR documents first,
// whatever host it was named by: "123456789012.dkr.ecr.us-east-1.amazonaws.com".
func (r Registry) CanonicalHost() string {
	return ecrhost.Registry{Account: r.Account, Region: r.Region, Public: r.Public}.CanonicalHost()
}

// ParseRegistry finds the registry behind host, which may be written as docker
// and its relatives send it: in any case, with a scheme, user, port, path or
// final dot ("https://HOST/", "HOST:443", "HOST/v2/", "HOST/repository").
// A host in mapping is the registry there; any other must be a name of
// ECR Public or an Amazon ECR name, ACCOUNT.dkr.ecr[-fips].REGION.SUFFIX, for a
// VPC endpoint ACCOUNT.dkr.ecr[-fips].REGION.vpce.SUFFIX, or, dual-stack,
// ACCOUNT.dkr-ecr[-fips].REGION.SUFFIX, with the suffix of the region's
// partition. Else the error wraps [ErrNotECR].
func ParseRegistry(host string, mapping Mapping) (Registry, error) {
	authority, err := ecrhost.Normalize(host)
	if err != nil {
		return Registry{}, fmt.Errorf("host %q: %w (%w)", withoutUserOfHost(host), ErrNotECR, err)
	}
	if r, ok := mapping[authority]; ok {
		return r, nil
	}
	r, err := ecrhost.Parse(authority)
	if err != nil {
		return Registry{}, fmt.Errorf("host %q: %w", withoutUserOfHost(host), err)
	}
	return Registry{
		Host: authority, Account: r.Account, Region: r.Region, Partition: ecrhost.PartitionOf(r.Region).Name,
		Public: r.Public, FIPS: r.FIPS, DualStack: r.DualStack,
	}, nil
}
