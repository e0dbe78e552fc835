package auth

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/ecrkit/ecrkit/internal/lazyregexp"
	"github.com/ecrkit/ecrkit/internal/loopback"
)

// partition is a separate set of AWS regions with its own DNS suffixes.
type partition struct {
	name         string
	regionPrefix string
	suffix       string // of ACCOUNT.dkr.ecr.REGION
	dualStack    string // of ACCOUNT.dkr-ecr.REGION
}

// partitions is searched in this order: the region's prefix decides.
// Source: the partition table of aws-sdk-go-v2 and, for the registry names,
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-requests.html. The
// dual-stack names of the partitions below aws-cn are not documented: they are
// the API's with "on." for "api.", as in the documented ones.
var partitions = []partition{
	{"aws-us-gov", "us-gov-", "amazonaws.com", "on.aws"},
	{"aws-cn", "cn-", "amazonaws.com.cn", "on.amazonwebservices.com.cn"},
	{"aws-eusc", "eusc-", "amazonaws.eu", "on.amazonwebservices.eu"},
	{"aws-iso", "us-iso-", "c2s.ic.gov", "on.aws.ic.gov"},
	{"aws-iso-b", "us-isob-", "sc2s.sgov.gov", "on.aws.scloud"},
	{"aws-iso-e", "eu-isoe-", "cloud.adc-e.uk", "on.cloud-aws.adc-e.uk"},
	{"aws-iso-f", "us-isof-", "csp.hci.ic.gov", "on.aws.hci.ic.gov"},
	{"aws", "", "amazonaws.com", "on.aws"},
}

// publicRegistry is ECR Public by its two names. Its API is in us-east-1 only:
// https://docs.aws.amazon.com/AmazonECR/latest/public/public-registry-auth.html.
func publicRegistry(host string) (Registry, bool) {
	r := Registry{Host: host, Region: "us-east-1", Partition: "aws", Public: true}
	switch host {
	case "public.ecr.aws":
		return r, true
	case "ecr-public.aws.com":
		r.DualStack = true
		return r, true
	}
	return Registry{}, false
}

// partitionOf returns the partition of a region.
func partitionOf(region string) partition {
	for _, p := range partitions {
		if strings.HasPrefix(region, p.regionPrefix) {
			return p
		}
	}
	return partitions[len(partitions)-1]
}

const regionPattern = `[a-z]{2,}(?:-[a-z0-9]+)*-[0-9]{1,2}`

var (
	ecrName = lazyregexp.New(`^([0-9]{12})\.dkr([.-])ecr(-fips)?\.(` + regionPattern + `)\.([a-z0-9.-]+)$`)
	account = lazyregexp.New(`^[0-9]{12}$`)
	region  = lazyregexp.New(`^` + regionPattern + `$`)
)

// ParseRegistry finds the registry behind host, which may be written as docker
// and its relatives send it: in any case, with a scheme, user, port, path or
// final dot ("https://HOST/", "HOST:443", "HOST/v2/", "HOST/repository").
// A host in mapping is the registry there; any other must be a name of
// ECR Public or an Amazon ECR name, ACCOUNT.dkr.ecr[-fips].REGION.SUFFIX, for a
// VPC endpoint ACCOUNT.dkr.ecr[-fips].REGION.vpce.SUFFIX, or, dual-stack,
// ACCOUNT.dkr-ecr[-fips].REGION.SUFFIX, with the suffix of the region's
// partition. Else the error wraps [ErrNotECR].
func ParseRegistry(host string, mapping Mapping) (Registry, error) {
	authority, err := normalizeHost(host)
	if err != nil {
		return Registry{}, fmt.Errorf("host %q: %w (%w)", withoutUserOfHost(host), ErrNotECR, err)
	}
	if r, ok := mapping[authority]; ok {
		return r, nil
	}
	name, _, err := splitPort(authority)
	if err != nil {
		return Registry{}, fmt.Errorf("host %q: %w (%w)", withoutUserOfHost(host), ErrNotECR, err)
	}
	if r, ok := publicRegistry(name); ok {
		r.Host = authority
		return r, nil
	}
	m := ecrName.FindStringSubmatch(name)
	if m == nil {
		return Registry{}, fmt.Errorf("host %q: %w", withoutUserOfHost(host), ErrNotECR)
	}
	r := Registry{Host: authority, Account: m[1], Region: m[4], FIPS: m[3] != "", DualStack: m[2] == "-"}
	p := partitionOf(r.Region)
	r.Partition = p.name
	suffix := m[5]
	if suffix == "localhost" && !r.FIPS && !r.DualStack {
		return r, nil // an emulator on this machine, such as package localecr
	}
	if r.DualStack {
		p.suffix = p.dualStack
	} else {
		suffix = strings.TrimPrefix(suffix, "vpce.")
	}
	if suffix != p.suffix {
		return Registry{}, fmt.Errorf("host %q: %w", withoutUserOfHost(host), ErrNotECR)
	}
	return r, nil
}

// normalizeHost reduces a server URL to host[:port] in lower case, without the
// port that the scheme implies.
func normalizeHost(s string) (string, error) {
	s = strings.TrimSpace(s)
	for _, c := range []byte(s) {
		// Refused before lower-casing: there are letters outside ASCII
		// (the Kelvin sign) whose lower case is inside it.
		if c <= ' ' || c >= 0x7f {
			return "", errors.New("a host name has ASCII letters, digits, dots and hyphens only")
		}
	}
	if strings.Contains(s, `\`) {
		// Some readers of URLs take it for a slash and others for a part of the user:
		// they would not agree on the host.
		return "", errors.New("a host name has no backslash")
	}
	s = strings.ToLower(s)
	if i := strings.Index(s, "://"); i >= 0 {
		if sch := s[:i]; sch != "http" && sch != "https" {
			return "", fmt.Errorf("scheme %q is neither http nor https", sch)
		}
		s = s[i+len("://"):]
	}
	if i := strings.IndexAny(s, "/?#"); i >= 0 {
		s = s[:i]
	}
	s = s[strings.LastIndexByte(s, '@')+1:]
	name, port, err := splitPort(s)
	if err != nil {
		return "", err
	}
	name = strings.TrimSuffix(name, ".")
	if name == "" {
		return "", errors.New("the host name is empty")
	}
	if address, err := netip.ParseAddr(name); err == nil {
		name = address.Unmap().String() // one spelling of each address
	}
	if port == "" || port == map[string]string{"http": "80", "https": "443"}[scheme(name)] {
		if strings.Contains(name, ":") {
			return "[" + name + "]", nil
		}
		return name, nil
	}
	return net.JoinHostPort(name, port), nil
}

// splitPort splits host[:port]; a host that is an IPv6 address comes without
// its brackets.
func splitPort(s string) (host, port string, err error) {
	if bare, ok := strings.CutPrefix(s, "["); ok && strings.HasSuffix(bare, "]") {
		return bare[:len(bare)-1], "", nil
	}
	if _, err := netip.ParseAddr(s); err == nil || !strings.Contains(s, ":") {
		return s, "", nil
	}
	host, port, err = net.SplitHostPort(s)
	if err != nil {
		return "", "", err
	}
	if !decimal(port) {
		return "", "", fmt.Errorf("port %q is not a number", port)
	}
	return host, port, nil
}

func decimal(s string) bool {
	return s != "" && len(s) <= 5 && strings.Trim(s, "0123456789") == ""
}

// scheme returns http for loopback hosts and https for all others.
func scheme(authority string) string {
	if loopback.Is(authority) {
		return "http"
	}
	return "https"
}
