package repopolicy

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
)

// networks are address ranges from which a policy lets callers in.
type networks []netip.Prefix

// Networks are not of certain callers if they have more addresses than one of these, as Amazon S3
// has it for public access: https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html.
const (
	widestIPv4 = 8
	widestIPv6 = 32
)

// fixedNetworks returns the values of aws:SourceIp. ok is false if one of them is no network, or if
// together they are too large.
func fixedNetworks(key string, values []string) (n networks, ok bool) {
	if strings.ToLower(key) != addressKey || len(values) == 0 {
		return nil, false
	}
	for _, v := range values {
		network, err := netip.ParsePrefix(v)
		if err != nil {
			address, err := netip.ParseAddr(v)
			if err != nil {
				return nil, false
			}
			network = netip.PrefixFrom(address.WithZone(""), address.BitLen())
		}
		n = append(n, network)
	}
	return n, n.few()
}

// mapped are the addresses of IPv4 as IPv6 has them.
var mapped = netip.MustParsePrefix("::ffff:0:0/96")

// few reports whether the networks together, where they overlap once, have no more addresses than
// one of the widest that is allowed. Private addresses do not count: no call comes from them.
func (n networks) few() bool { return n.size() <= 1 }

// size is how many of the widest network of their kind the networks fill: those of IPv4 or those of
// IPv6, whichever are more. Networks of IPv6 count in units of a /64.
func (n networks) size() float64 {
	var all networks
	for _, p := range n {
		switch a := p.Addr(); {
		case a.Is4In6() && p.Bits() >= mapped.Bits():
			p = netip.PrefixFrom(a.Unmap(), p.Bits()-mapped.Bits())
		case a.Is6() && p.Overlaps(mapped):
			all = append(all, netip.PrefixFrom(netip.IPv4Unspecified(), 0)) // it has all of IPv4, too
		case a.Is6() && p.Bits() > 64:
			p = netip.PrefixFrom(a, 64)
		}
		all = append(all, p.Masked())
	}
	// A network comes before those that are within it.
	slices.SortFunc(all, func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	var ipv4, ipv6 float64
	var last netip.Prefix
	for _, p := range all {
		if last.IsValid() && last.Overlaps(p) || private(p) {
			continue
		}
		last = p
		if p.Addr().Is4() {
			ipv4 += share(p.Bits() - widestIPv4)
		} else {
			ipv6 += share(p.Bits() - widestIPv6)
		}
	}
	return max(ipv4, ipv6)
}

// share is 2^-bits; all of them that networks can have add up exactly.
func share(bits int) float64 {
	if bits < 0 {
		return float64(uint64(1) << min(-bits, 63))
	}
	return 1 / float64(uint64(1)<<bits)
}

// privateNetworks are those of RFC 1918 and RFC 4193.
var privateNetworks = networks{
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("fc00::/7"),
}

// private reports whether no caller has an address of the network.
func private(p netip.Prefix) bool {
	for _, all := range privateNetworks {
		if p.Bits() >= all.Bits() && all.Contains(p.Addr()) {
			return true
		}
	}
	return false
}
