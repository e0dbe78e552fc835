package scan

import (
	"cmp"
	"slices"
	"strings"
)

// upgrade is a package whose newer version ends findings.
type upgrade struct {
	Package   string
	Versions  string // installed
	Fixed     string // the versions that end one finding each
	Findings  int
	Blocking  int
	Worst     Severity
	worstRank int
}

// upgrades are the packages of which there is a fixed version, those first whose upgrade
// ends most of what blocks, then most findings.
func (v Verdict) upgrades() []upgrade {
	byName := map[string]*upgrade{}
	packages := map[string][]Package{}
	seen := map[string]bool{} // a vulnerability counts once for a package, whatever the images
	for _, i := range v.Images {
		for _, j := range i.Judged {
			for _, p := range j.Packages {
				if p.Fixed == "" || p.Name == "" || j.Decision == Ignored {
					continue
				}
				u := byName[p.Name]
				if u == nil {
					u = &upgrade{Package: oneLine(p.Name), Worst: j.Severity}
					byName[p.Name] = u
				}
				packages[p.Name] = append(packages[p.Name], p)
				key := p.Name + "\x00" + j.ID
				if seen[key] {
					continue
				}
				seen[key] = true
				u.Findings++
				if j.Decision == Blocks {
					u.Blocking++
				}
				if r := j.Severity.rank(); r > u.worstRank {
					u.Worst, u.worstRank = j.Severity, r
				}
			}
		}
	}
	var all []upgrade
	for name, u := range byName {
		u.Versions = each(packages[name], func(p Package) string { return p.Version })
		u.Fixed = each(packages[name], func(p Package) string { return p.Fixed })
		all = append(all, *u)
	}
	slices.SortFunc(all, func(a, b upgrade) int {
		return cmp.Or(-cmp.Compare(a.Blocking, b.Blocking), -cmp.Compare(a.worstRank, b.worstRank),
			-cmp.Compare(a.Findings, b.Findings), strings.Compare(a.Package, b.Package))
	})
	return all
}
