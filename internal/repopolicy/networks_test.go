package repopolicy

import (
	"math/rand/v2"
	"net/netip"
	"testing"
)

// TestSizeOfNetworks compares the size of networks that overlap with a count of their addresses, in
// blocks of a /10.
func TestSizeOfNetworks(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		var n networks
		var inside [1 << 10]bool
		for range r.IntN(12) {
			bits := 2 + r.IntN(9)
			first := r.IntN(1<<bits) << (10 - bits)
			n = append(n, netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(first >> 2), byte(first << 6)}), bits))
			for i := range 1 << (10 - bits) {
				inside[first+i] = true
			}
		}
		count := 0
		for i, yes := range inside {
			block := netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(i >> 2), byte(i << 6)}), 10)
			// Networks within 10.0.0.0/8 have no callers; larger ones count whole.
			if yes && !(private(block) && !coveredByLarger(n, block)) {
				count++
			}
		}
		if got := n.size(); got != float64(count)/4 {
			t.Fatalf("seed %d: %v have the size %v, want %d/4", seed, n, got, count)
		}
	}
}

// coveredByLarger reports whether one of the networks has the block and is not private itself.
func coveredByLarger(n networks, block netip.Prefix) bool {
	for _, p := range n {
		if p.Overlaps(block) && !private(p) {
			return true
		}
	}
	return false
}
