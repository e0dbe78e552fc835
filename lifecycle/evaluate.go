package lifecycle

import (
	"cmp"
	"math/bits"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"
)

// Outcome is what a policy does with an image.
type Outcome string

// The outcomes.
const (
	Keep       Outcome = "KEEP"
	Expire     Outcome = "EXPIRE"     // it is deleted
	Transition Outcome = "TRANSITION" // it is moved to the archive
)

// Verdict is what a policy does with one image, and why.
type Verdict struct {
	Outcome Outcome
	// Rule is the priority of the rule that acts, for a referrer on its subject; 0 if no rule
	// acts.
	Rule int
	// ListedBy is an index that keeps the image: no rule acts on what an index lists until
	// the index is deleted or archived.
	ListedBy digest.Digest
	// Follows is the subject of the image, if that is in the repository: what happens
	// to a subject happens to its referrers, and no rule selects them.
	Follows digest.Digest

	policy *Policy
	found  uint64 // bit n: rule n identifies the image
	marked uint64 // bit n: rule n would act on it if no other rule did
	number int32  // among the images of the first rule that identifies it, from 1, the newest
	of     int32  // how many those are
}

// IdentifiedBy returns the priorities of the rules that identify the image, in the order
// in which they are applied. The first is the one that may act.
func (v Verdict) IdentifiedBy() []int { return v.priorities(v.found) }

// ShieldedBy returns the priorities of the rules that keep a later one from acting on
// the image, as it would if they were not there.
func (v Verdict) ShieldedBy() []int {
	first, acting := lowest(v.found), lowest(v.marked)
	if acting < 0 || first == acting {
		return nil
	}
	return v.priorities(v.found & (1<<acting - 1))
}

func (v Verdict) priorities(set uint64) []int {
	var priorities []int
	for n, rule := range v.policy.rules {
		if set&(1<<n) != 0 {
			priorities = append(priorities, rule.Priority)
		}
	}
	return priorities
}

// lowest is the number of the lowest bit of set, -1 if it has none.
func lowest(set uint64) int {
	if set == 0 {
		return -1
	}
	return bits.TrailingZeros64(set)
}

// Evaluation is the result of a policy for the images of a repository at a time.
type Evaluation struct {
	At       time.Time
	Verdicts []Verdict // of the images, in their order

	policy *Policy
	images []Image
}

// Evaluate returns what the policy does with the images of one repository if it is
// applied at a time. images must be all images of the repository, each once, because
// rules count them. The package comment describes the rules. Images of the same age are
// ordered by their digest, so that the outcome does not depend on the order in
// which they are given. A nil policy keeps all images.
func Evaluate(p *Policy, images []Image, at time.Time) Evaluation {
	at = at.UTC()
	if p == nil {
		p = &Policy{}
	}
	e := Evaluation{At: at, Verdicts: make([]Verdict, len(images)), policy: p, images: images}
	g := newGraph(images)
	for i := range e.Verdicts {
		v := &e.Verdicts[i]
		v.Outcome, v.policy = Keep, p
		if list := g.listedBy[i]; list >= 0 {
			v.ListedBy = images[list].Digest
		}
		if subject := g.subject[i]; subject >= 0 {
			v.Follows = images[subject].Digest
		}
	}
	ranked := g.ranked(images)
	claimed := make([]int32, 0, len(ranked))
	for n, rule := range p.rules {
		e.apply(n, rule, ranked, claimed)
	}
	for i := range images {
		e.follow(int32(i), g)
	}
	return e
}

// apply is one rule. ranked are the images that rules may act on, the newest first; claimed is memory for as many numbers.
func (e *Evaluation) apply(n int, rule Rule, ranked []candidate, claimed []int32) {
	archived, tags := rule.Selection.Class() == Archive, newTagRequirement(rule.Selection)
	older := e.At.AddDate(0, 0, -rule.Selection.Count)
	var number int32
	for _, c := range ranked {
		if c.archived != archived || !tags.match(c.tags) {
			continue
		}
		image, v := &e.images[c.image], &e.Verdicts[c.image]
		number++
		var marks bool
		if rule.Selection.CountType == ImageCountMoreThan {
			marks = int(number) > rule.Selection.Count
		} else {
			from := image.countedFrom(rule.Selection.CountType)
			marks = !from.IsZero() && from.Before(older)
		}
		if marks {
			v.marked |= 1 << n
		}
		// A rule counts images that an earlier one has identified, but only the first
		// that identifies an image can act on it, whether it does or not.
		if v.found == 0 {
			claimed = append(claimed, c.image)
			v.number = number
			if marks {
				v.Outcome, v.Rule = rule.Action.outcome(), rule.Priority
			}
		}
		v.found |= 1 << n
	}
	for _, i := range claimed {
		e.Verdicts[i].of = number
	}
}

func (a Action) outcome() Outcome {
	if a.Type == ActionTransition {
		return Transition
	}
	return Expire
}

// follow lets a referrer go where its subject goes.
func (e *Evaluation) follow(i int32, g *graph) {
	var way []int32 // up to an image that is no referrer, or is through with this
	for g.subject[i] >= 0 && !g.followed[i] {
		way = append(way, i)
		g.followed[i] = true
		i = g.subject[i]
	}
	for _, i := range slices.Backward(way) {
		v, image := &e.Verdicts[i], &e.images[i]
		subject, of := &e.Verdicts[g.subject[i]], &e.images[g.subject[i]]
		active := image.class() == Standard
		switch {
		case v.ListedBy != "":
		case subject.Outcome == Expire:
			v.Outcome, v.Rule = Expire, subject.Rule
		case subject.Outcome == Transition && active:
			v.Outcome, v.Rule = Transition, subject.Rule
		case of.Status == StatusArchived && active:
			v.Outcome = Transition
		}
	}
}

// graph is which image lists which, and which refers to which, by their numbers;
// -1 means none.
type graph struct {
	listedBy []int32
	subject  []int32
	followed []bool // the verdict of the subject is that of the image
}

func newGraph(images []Image) *graph {
	g := &graph{make([]int32, len(images)), make([]int32, len(images)), make([]bool, len(images))}
	number := map[digest.Digest]int32{} // of images that others name, which few are
	for i := range images {
		g.listedBy[i], g.subject[i] = -1, -1
		for _, child := range images[i].Children {
			number[child] = -1
		}
		if images[i].Subject != "" {
			number[images[i].Subject] = -1
		}
	}
	for i := range images {
		if _, named := number[images[i].Digest]; named {
			number[images[i].Digest] = int32(i)
		}
	}
	for i := range images {
		if images[i].Status != StatusArchived {
			for _, child := range images[i].Children {
				if c := number[child]; c >= 0 && int(c) != i {
					g.listedBy[c] = int32(i)
				}
			}
		}
		if images[i].Subject != "" {
			g.subject[i] = number[images[i].Subject]
		}
	}
	g.cutCircles()
	return g
}

// cutCircles makes images that refer to each other in a circle, which no real
// digests do, into images without a subject.
func (g *graph) cutCircles() {
	seen := make([]int32, len(g.subject)) // the walk, from 1, that came by
	for start := range int32(len(g.subject)) {
		i := start
		for i >= 0 && seen[i] == 0 {
			seen[i] = start + 1
			i = g.subject[i]
		}
		for i >= 0 && seen[i] == start+1 && g.subject[i] >= 0 {
			i, g.subject[i] = g.subject[i], -1
		}
	}
}

// candidate is an image on which rules may act. What rules look at first is here,
// next to that of the next image: this loop is all the time that it takes.
type candidate struct {
	tags     []string
	archived bool
	image    int32
}

// ranked returns the images that rules may act on, the newest first.
func (g *graph) ranked(images []Image) []candidate {
	ranked := make([]candidate, 0, len(images))
	for i := range images {
		if class := images[i].class(); class != "" && g.listedBy[i] < 0 && g.subject[i] < 0 {
			ranked = append(ranked, candidate{images[i].Tags, class == Archive, int32(i)})
		}
	}
	slices.SortFunc(ranked, func(a, b candidate) int {
		x, y := &images[a.image], &images[b.image]
		if order := y.rankedAt().Compare(x.rankedAt()); order != 0 {
			return order // without a look at the digests, which are elsewhere in memory
		}
		return cmp.Compare(y.Digest, x.Digest)
	})
	return ranked
}
