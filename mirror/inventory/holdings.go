package inventory

import (
	"maps"
	"slices"

	"github.com/opencontainers/go-digest"
)

// Holdings are what a destination has, by its inventories.
type Holdings struct {
	Blobs     Holding
	Manifests Holding // of nothing if the ecrkit there cannot import sets without manifests
	// carried is which set carried a blob or a manifest, as far as it is known.
	carried map[digest.Digest]digest.Digest
}

// Holding is which repositories have blobs, or manifests.
type Holding struct {
	has map[string]map[digest.Digest]bool // by the name of the repository
	// from is a repository that has one; empty if the ecrkit there takes nothing from other repositories.
	from map[digest.Digest]string
}

// NewHoldings returns what the inventories of one destination say together.
func NewHoldings(inventories []Inventory) Holdings {
	all := Holdings{carried: origins(inventories)}
	borrows := !slices.ContainsFunc(inventories, func(v Inventory) bool { return !v.Borrows })
	all.Blobs = newHolding(inventories, borrows, func(v Inventory) map[string][]digest.Digest { return v.Repositories })
	if len(inventories) > 0 && !slices.ContainsFunc(inventories, func(v Inventory) bool { return v.Manifests == nil }) {
		all.Manifests = newHolding(inventories, borrows, func(v Inventory) map[string][]digest.Digest { return v.Manifests })
	}
	return all
}

func newHolding(inventories []Inventory, borrows bool, of func(v Inventory) map[string][]digest.Digest) Holding {
	h := Holding{map[string]map[digest.Digest]bool{}, map[digest.Digest]string{}}
	for _, v := range inventories {
		for name, digests := range of(v) {
			if h.has[name] == nil {
				h.has[name] = make(map[digest.Digest]bool, len(digests))
			}
			for _, d := range digests {
				h.has[name][d] = true
				if known, ok := h.from[d]; borrows && (!ok || name < known) {
					h.from[d] = name
				}
			}
		}
	}
	return h
}

// Carried returns which set carried a blob or a manifest, "" if it is not known.
func (h Holdings) Carried(d digest.Digest) digest.Digest { return h.carried[d] }

// Has reports whether a repository has d.
func (h Holding) Has(name string, d digest.Digest) bool { return h.has[name][d] }

// HasAny reports whether a repository has something.
func (h Holding) HasAny(name string) bool { return len(h.has[name]) > 0 }

// Reaches reports whether a repository has d, or can take it from another one.
func (h Holding) Reaches(name string, d digest.Digest) bool { return h.has[name][d] || h.from[d] != "" }

// From returns the repository from which another one takes d, "" if it has d.
func (h Holding) From(name string, d digest.Digest) string {
	if h.has[name][d] {
		return ""
	}
	return h.from[d]
}

// origins returns which set carried a blob, as far as inventories know.
func origins(inventories []Inventory) map[digest.Digest]digest.Digest {
	carried := map[digest.Digest]digest.Digest{}
	for _, v := range inventories {
		for _, set := range slices.Sorted(maps.Keys(v.Sets)) {
			for _, d := range v.Sets[set] {
				if carried[d] == "" {
					carried[d] = set
				}
			}
		}
	}
	return carried
}
