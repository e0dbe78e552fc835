// Package ecrhost has the host names of Amazon ECR: which registry a name is, and which name Amazon
// ECR documents first for it. It is text only: no request, no AWS SDK.
package ecrhost

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/ecrkit/ecrkit/internal/lazyregexp"
	"github.com/ecrkit/ecrkit/internal/loopback"
)

// ErrNotECR reports that a host is not a name of Amazon ECR.
var ErrNotECR = errors.New("not an Amazon ECR registry")

// Registry is one Amazon ECR registry, as its host names it.
type Registry struct {
	Account   string // 12 digits; empty for ECR Public
	Region    string // "us-east-1", where its API is
	Public    bool   // ECR Public
	FIPS      bool   // the host is a FIPS name
	DualStack bool   // the host is a dual-stack (IPv4 and IPv6) name
}

// CanonicalHost is the name of the registry that Amazon ECR documents first,
// whatever host it was named by: "123456789012.dkr.ecr.us-east-1.amazonaws.com".
func (r Registry) CanonicalHost() string {
	if r.Public {
		return "public.ecr.aws"
	}
	return r.Account + ".dkr.ecr." + r.Region + "." + PartitionOf(r.Region).Suffix
}

// Partition is a separate set of AWS regions with its own DNS suffixes.
type Partition struct {
	Name         string
	regionPrefix string
	Suffix       string // of ACCOUNT.dkr.ecr.REGION
	DualStack    string // of ACCOUNT.dkr-ecr.REGION
}

// partitions is searched in this order: the region's prefix decides.
// Source: the partition table of aws-sdk-go-v2 and, for the registry names,
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-requests.html. The
// dual-stack names of the partitions below aws-cn are not documented: they are
// the API's with "on." for "api.", as in the documented ones.
var partitions = []Partition{
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
	switch host {
	case "public.ecr.aws":
		return Registry{Region: "us-east-1", Public: true}, true
	case "ecr-public.aws.com":
		return Registry{Region: "us-east-1", Public: true, DualStack: true}, true
	}
	return Registry{}, false
}

// PartitionOf returns the partition of a region.
func PartitionOf(region string) Partition {
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

// IsAccount reports whether s is an AWS account, 12 digits.
func IsAccount(s string) bool { return account.MatchString(s) }

// IsRegion reports whether s has the form of an AWS region.
func IsRegion(s string) bool { return region.MatchString(s) }

// Find is [Normalize] and [Parse].
func Find(host string) (Registry, error) {
	authority, err := Normalize(host)
	if err != nil {
		return Registry{}, fmt.Errorf("%w (%w)", ErrNotECR, err)
	}
	return Parse(authority)
}

// Parse returns the registry of a host as [Normalize] returns it: a name of ECR Public or an
// Amazon ECR name, ACCOUNT.dkr.ecr[-fips].REGION.SUFFIX, for a VPC endpoint
// ACCOUNT.dkr.ecr[-fips].REGION.vpce.SUFFIX, or, dual-stack, ACCOUNT.dkr-ecr[-fips].REGION.SUFFIX,
// with the suffix of the region's partition. Else the error wraps [ErrNotECR].
func Parse(authority string) (Registry, error) {
	name, _, err := splitPort(authority)
	if err != nil {
		return Registry{}, fmt.Errorf("%w (%w)", ErrNotECR, err)
	}
	if r, ok := publicRegistry(name); ok {
		return r, nil
	}
	m := ecrName.FindStringSubmatch(name)
	if m == nil {
		return Registry{}, ErrNotECR
	}
	r := Registry{Account: m[1], Region: m[4], FIPS: m[3] != "", DualStack: m[2] == "-"}
	suffix := m[5]
	if suffix == "localhost" && !r.FIPS && !r.DualStack {
		return r, nil // an emulator on this machine, such as package localecr
	}
	p := PartitionOf(r.Region)
	want := p.Suffix
	if r.DualStack {
		want = p.DualStack
	} else {
		suffix = strings.TrimPrefix(suffix, "vpce.")
	}
	if suffix != want {
		return Registry{}, ErrNotECR
	}
	return r, nil
}

// Normalize reduces a server URL to host[:port] in lower case, without leading zeros of the port, and without the
// port that the scheme implies. s may be written as docker and its relatives send it: in any case, with
// a scheme, user, port, path or final dot ("https://HOST/", "HOST:443", "HOST/v2/", "HOST/repository").
func Normalize(s string) (string, error) {
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
		if s[i] != '/' && strings.Contains(s[i:], "@") {
			// Some readers of URLs take what is before the @ for a user: the same.
			return "", fmt.Errorf("a host name has no %c", s[i])
		}
		s = s[:i]
	}
	s = s[strings.LastIndexByte(s, '@')+1:]
	name, port, err := splitPort(s)
	if err != nil {
		return "", err
	}
	name = strings.TrimSuffix(name, ".")
	switch {
	case name == "":
		return "", errors.New("the host name is empty")
	case strings.HasSuffix(name, "."):
		return "", errors.New("the host name has an empty label at its end")
	case strings.ContainsAny(name, "[]"), strings.HasPrefix(s, "[") && !strings.Contains(name, ":"):
		return "", errors.New("brackets are for an IPv6 address")
	}
	if address, err := netip.ParseAddr(name); err == nil {
		name = address.Unmap().String() // one spelling of each address
	}
	if port == "" || port == map[string]string{"http": "80", "https": "443"}[Scheme(name)] {
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
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || number == 0 || len(port) > 5 {
		return "", "", fmt.Errorf("%q is not a port", port)
	}
	// One spelling of each port: 0443 is 443.
	return host, strconv.FormatUint(number, 10), nil
}

// Scheme returns http for loopback hosts and https for all others.
func Scheme(authority string) string {
	if loopback.Is(authority) {
		return "http"
	}
	return "https"
}
