package auth

import (
	"errors"
	"fmt"
	"strings"

	"github.com/ecrkit/ecrkit/internal/ecrhost"
)

// MappingVariable is the environment variable that holds a [Mapping].
const MappingVariable = "ECRKIT_REGISTRIES"

// Mapping is the registry behind each host that is not an Amazon ECR name: a
// VPC endpoint, a CNAME, a local ECR. It is keyed by host[:port] in lower case.
type Mapping map[string]Registry

// ParseMapping reads entries HOST[:PORT]=ACCOUNT.REGION separated by commas, as
// in "127.0.0.1:4510=000000000000.us-east-1,ecr.example.com=123456789012.eu-west-1".
// A host carries no scheme: loopback hosts are spoken to by http, all others by
// https. Empty entries are ignored. The error names the entry that is wrong.
func ParseMapping(s string) (Mapping, error) {
	mapping := Mapping{}
	for entry := range strings.SplitSeq(s, ",") {
		if entry = strings.TrimSpace(entry); entry == "" {
			continue
		}
		r, err := parseEntry(entry)
		if err != nil {
			return nil, fmt.Errorf("registry mapping entry %q: %w; write HOST[:PORT]=ACCOUNT.REGION, as in 127.0.0.1:4510=000000000000.us-east-1", withoutUserOfHost(entry), err)
		}
		if old, ok := mapping[r.Host]; ok && old != r {
			return nil, fmt.Errorf("registry mapping entry %q: %s is already mapped to %s; keep one of the two", entry, r.Host, old)
		}
		mapping[r.Host] = r
	}
	return mapping, nil
}

func parseEntry(entry string) (Registry, error) {
	host, target, ok := strings.Cut(entry, "=")
	if !ok {
		return Registry{}, errors.New("no = in it")
	}
	host, target = strings.TrimSpace(host), strings.TrimSpace(target)
	if strings.ContainsAny(host, "/@?#\\") {
		return Registry{}, errors.New("the host must carry no scheme, user or path")
	}
	host, err := ecrhost.Normalize(host)
	if err != nil {
		return Registry{}, err
	}
	id, reg, _ := strings.Cut(target, ".")
	if !ecrhost.IsAccount(id) {
		return Registry{}, fmt.Errorf("%q is not an AWS account of 12 digits", id)
	}
	if !ecrhost.IsRegion(reg) {
		return Registry{}, fmt.Errorf("%q is not an AWS region", reg)
	}
	return Registry{Host: host, Account: id, Region: reg, Partition: ecrhost.PartitionOf(reg).Name}, nil
}
