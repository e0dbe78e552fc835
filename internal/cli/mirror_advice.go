package cli

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/mirror"
)

// The limits of replication: https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html
const (
	maxReplicationDestinations = 25
	maxReplicationFilters      = 100
)

// mirrorAdvice is what Amazon ECR can do by itself in the place of a mirror.
type mirrorAdvice struct {
	// Replication has an entry for each registry that images come from: the input of
	// PutReplicationConfiguration there.
	Replication []replicationAdvice `json:"replication,omitempty"`
	// Backfills are the inputs of StartReplicationBackfill there, one for each destination, for the images that exist.
	Backfills []backfillAdvice `json:"backfills,omitempty"`
	// PullThrough are the inputs of CreatePullThroughCacheRule.
	PullThrough []pullThroughAdvice `json:"pullThrough,omitempty"`
	// Not are the reasons why a part of the mirror needs ecrkit.
	Not []string `json:"not,omitempty"`
}

type replicationAdvice struct {
	Account       string `json:"account"`
	Region        string `json:"region"`
	Configuration struct {
		Rules []replicationRule `json:"rules"`
	} `json:"replicationConfiguration"`
}

type replicationRule struct {
	Destinations []replicationDestination `json:"destinations"`
	Filters      []replicationFilter      `json:"repositoryFilters,omitempty"`
}

type replicationDestination struct {
	Region     string `json:"region"`
	RegistryID string `json:"registryId"`
}

type replicationFilter struct {
	Filter string `json:"filter"`
	Type   string `json:"filterType"`
}

type backfillAdvice struct {
	Account string        `json:"account"`
	Region  string        `json:"region"`
	Host    string        `json:"host"`
	Input   backfillInput `json:"startReplicationBackfill"`
}

type backfillInput struct {
	Destination replicationDestination `json:"destination"`
}

type pullThroughAdvice struct {
	Account string      `json:"account"`
	Region  string      `json:"region"`
	Rule    pullThrough `json:"rule"`
}

type pullThrough struct {
	Prefix           string `json:"ecrRepositoryPrefix"`
	UpstreamRegistry string `json:"upstreamRegistry"`
	UpstreamURL      string `json:"upstreamRegistryUrl"`
	UpstreamPrefix   string `json:"upstreamRepositoryPrefix"`
}

// adviseMirror finds out what Amazon ECR can do by itself, within one account. It makes no requests.
func adviseMirror(c mirror.Config, registries auth.Registries) mirrorAdvice {
	var a mirrorAdvice
	for _, destination := range c.Destinations {
		host, prefix, _ := strings.Cut(destination, "/")
		to, toErr := registries.Parse(host)
		for i, item := range c.Images {
			from, repository, _ := strings.Cut(item.From, "/")
			source, err := registries.Parse(from)
			why := ""
			switch {
			case err != nil || toErr != nil || source.Public || to.Public:
				why = "not both sides are a private registry of Amazon ECR"
			case source.Account != to.Account:
				why = "the registries are of different accounts"
			case source.Region == to.Region:
				why = "a registry does not replicate to itself"
			default:
				why = whyNotReplicated(c, item, repository)
			}
			switch {
			case why != "":
				a.Not = append(a.Not, fmt.Sprintf("images[%d] to %s: %s", i, destination, why))
			case prefix == "":
				a.replicate(source, to, replicationPrefix(repository))
			default:
				a.pullThrough(source, to, prefix)
			}
		}
	}
	for _, r := range a.Replication {
		if rule := r.Configuration.Rules[0]; len(rule.Filters) > maxReplicationFilters || len(rule.Destinations) > maxReplicationDestinations {
			a.Not = append(a.Not, fmt.Sprintf("a rule has at most %d filters and %d destinations", maxReplicationFilters, maxReplicationDestinations))
			a.Replication, a.Backfills = nil, nil
			break
		}
	}
	return a
}

// whyNotReplicated is what replication and a pull-through cache cannot do of an item; "" if they can do it.
func whyNotReplicated(c mirror.Config, item mirror.ImageRules, repository string) string {
	pattern := strings.TrimSuffix(repository, "*")
	switch {
	case item.Name != "" && item.Name != repository:
		return "the repository would keep its name"
	case !item.Tags.IsZero() || len(item.Digests) > 0:
		return "all tags would be copied"
	case len(item.Platforms) > 0:
		return "all platforms would be copied"
	case !c.ReferrersOf(item).All():
		return "all referrers would be copied"
	case strings.Contains(pattern, "*") || len(item.Except) > 0:
		return "repositories are chosen by a prefix only"
	case c.Existing != "" && c.Existing != mirror.Overwrite:
		return "tags would be overwritten"
	}
	return ""
}

// replicationPrefix is the prefix of the names that a pattern matches; "" is all.
func replicationPrefix(pattern string) string { return strings.TrimSuffix(pattern, "*") }

// replicate adds a destination and a filter to the configuration of a registry. One rule has all: what goes to one
// destination goes to each.
func (a *mirrorAdvice) replicate(source, to auth.Registry, prefix string) {
	at := slices.IndexFunc(a.Replication, func(r replicationAdvice) bool { return r.Account == source.Account && r.Region == source.Region })
	if at < 0 {
		at = len(a.Replication)
		a.Replication = append(a.Replication, replicationAdvice{Account: source.Account, Region: source.Region})
		a.Replication[at].Configuration.Rules = []replicationRule{{}}
	}
	rule := &a.Replication[at].Configuration.Rules[0]
	if d := (replicationDestination{to.Region, to.Account}); !slices.Contains(rule.Destinations, d) {
		rule.Destinations = append(rule.Destinations, d)
		a.Backfills = append(a.Backfills, backfillAdvice{source.Account, source.Region, source.Host, backfillInput{d}})
	}
	if f := (replicationFilter{prefix, "PREFIX_MATCH"}); prefix != "" && !slices.Contains(rule.Filters, f) {
		rule.Filters = append(rule.Filters, f)
	}
}

// pullThrough adds a rule by which repositories under a prefix are those of another region.
func (a *mirrorAdvice) pullThrough(source, to auth.Registry, prefix string) {
	one := pullThroughAdvice{to.Account, to.Region, pullThrough{prefix, "ecr", source.Host, "ROOT"}}
	if !slices.Contains(a.PullThrough, one) {
		a.PullThrough = append(a.PullThrough, one)
	}
}

// mirrorAdviceText is the advice for people.
func mirrorAdviceText(a mirrorAdvice) string {
	var s strings.Builder
	indented := func(v any) {
		text, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			panic(err) // plain values
		}
		s.Write(append(text, '\n'))
	}
	for _, r := range a.Replication {
		fmt.Fprintf(&s, "Amazon ECR can replicate from %s/%s, from now on:\n", r.Account, r.Region)
		indented(r.Configuration)
		fmt.Fprintf(&s, "  aws ecr put-replication-configuration --region %s --replication-configuration file://replication.json\n", r.Region)
		s.WriteString("and then the images that exist, by one backfill for each destination:\n")
		for _, b := range a.Backfills {
			if b.Account == r.Account && b.Region == r.Region {
				fmt.Fprintf(&s, "  ecrkit registry backfill start %s/%s %s --wait\n", b.Input.Destination.RegistryID, b.Input.Destination.Region, b.Host)
			}
		}
	}
	for _, p := range a.PullThrough {
		fmt.Fprintf(&s, "Amazon ECR can fetch what is pulled from %s/%s, with a pull-through cache rule:\n", p.Account, p.Region)
		indented(p.Rule)
		fmt.Fprintf(&s, "  aws ecr create-pull-through-cache-rule --region %s --cli-input-json file://rule.json\n", p.Region)
	}
	for _, why := range a.Not {
		fmt.Fprintf(&s, "not by Amazon ECR itself: %s\n", printable(why))
	}
	return s.String()
}
