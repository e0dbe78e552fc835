package mirror

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
)

// Shard is which part of a mirror a process does, of several that share the work. The zero value is all of
// it. Every shard deals out the repositories in the same way, from what the sources have, so that shards
// need not know of each other: see [Sharding].
type Shard struct {
	Index int `json:"index"` // from 1
	Count int `json:"count"`
}

// MaxShards is how many shards there can be at most: as many as an array job of AWS Batch can have.
// https://docs.aws.amazon.com/batch/latest/userguide/service_limits.html
const MaxShards = 10_000

// ParseShard reads I/N, such as 3/8. The error wraps [ErrConfig].
func ParseShard(s string) (Shard, error) {
	index, count, ok := strings.Cut(s, "/")
	i, errIndex := strconv.Atoi(index)
	n, errCount := strconv.Atoi(count)
	if !ok || errIndex != nil || errCount != nil {
		return Shard{}, problem("%q is not a shard: write I/N, such as 3/8", s)
	}
	shard := Shard{i, n}
	return shard, shard.Validate()
}

// Validate reports whether the shard is one of its count. The error wraps [ErrConfig].
func (s Shard) Validate() error {
	if s == (Shard{}) || s.Count >= 1 && s.Count <= MaxShards && s.Index >= 1 && s.Index <= s.Count {
		return nil
	}
	count := min(max(s.Count, 1), MaxShards)
	return problem("%s is not a shard: of %d there are 1/%d to %d/%d, and %d is the most", s, count, count, count, count, MaxShards)
}

// String returns I/N.
func (s Shard) String() string { return fmt.Sprintf("%d/%d", s.Index, s.Count) }

// isSet reports whether the shard is one of a count, which may be 1.
func (s Shard) isSet() bool { return s.Count > 0 }

// Sharding is how the repositories of a mirror were dealt out to shards. Its JSON form is stable: fields are
// only added.
type Sharding struct {
	Shard
	// Deal is of which shard has which repository. It is the same in all shards, unless a source has changed
	// between them so much that the work is divided in another way.
	Deal digest.Digest `json:"deal"`
	// All is how many repositories of destinations all shards have together.
	All int `json:"all"`
	// Deletions and Present are as [Plan.Deletions], of all shards.
	Deletions int `json:"deletions,omitempty"`
	Present   int `json:"present,omitempty"`
}

// ShardReport is what is known of a shard when it is done. Its JSON form is stable: fields are only added.
type ShardReport struct {
	Shard
	// Deal is as in [Sharding]; "" if the shard ended before it had a plan.
	Deal digest.Digest `json:"deal"`
	All  int           `json:"all"` // as in [Sharding]
	// Repositories are those of the destinations that the shard has, HOST/REPOSITORY.
	Repositories []string `json:"repositories"`
	// Kept is how many tags were equal on both sides.
	Kept int `json:"kept"`
	// Finished is when the shard was done: of two reports of a shard that was run again the later one counts.
	Finished time.Time `json:"finished"`
}

// Unapplied returns the report of a shard that did nothing of its plan, or had none: p is the zero value then.
func Unapplied(shard Shard, p Plan, now time.Time) Report {
	report := Report{Hash: p.Hash, Images: []ImageResult{}, Shard: p.shardReport(now)}
	if report.Shard == nil && shard.isSet() {
		report.Shard = &ShardReport{Shard: shard, Repositories: []string{}, Finished: now.UTC()}
	}
	return report
}

// shardReport returns what is known of the shard of a plan; nil if the plan is whole.
func (p Plan) shardReport(now time.Time) *ShardReport {
	if p.Shard == nil {
		return nil
	}
	s := &ShardReport{Shard: p.Shard.Shard, Deal: p.Shard.Deal, All: p.Shard.All, Repositories: []string{}, Finished: now.UTC()}
	for _, r := range p.Repositories {
		s.Repositories = append(s.Repositories, r.To)
		s.Kept += r.Kept
	}
	return s
}
