package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/lifecycle"
)

// clocked is a registry with a clock that stands still until it is set.
type clocked struct {
	*Registry
	t   testing.TB
	now time.Time
}

func newClocked(t testing.TB) *clocked {
	t.Helper()
	c := &clocked{t: t, now: time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)}
	store, err := Open(t.TempDir(), Options{Clock: func() time.Time { return c.now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	c.Registry = store.Registry("000000000000", "us-east-1")
	return c
}

// fill makes a repository with these images and this policy.
func (c *clocked) fill(name string, policy *lifecycle.Policy, images []imageRecord) {
	c.t.Helper()
	if _, err := c.CreateRepository(context.Background(), &ecr.CreateRepositoryInput{RepositoryName: &name}); err != nil {
		c.t.Fatal(err)
	}
	text, err := json.Marshal(policy)
	if err != nil {
		c.t.Fatal(err)
	}
	err = c.update(&name, func(repo *repository) error {
		for _, rec := range images {
			for _, tag := range rec.Tags {
				if err := repo.setTag(&rec, tag); err != nil {
					return err
				}
			}
			for _, child := range rec.Children {
				if err := repo.uses().Put(pairKey(child, rec.Digest), nil); err != nil {
					return err
				}
			}
			if err := countUp(repo.images(), 1); err != nil {
				return err
			}
			if err := repo.saveImage(&rec); err != nil {
				return err
			}
		}
		return repo.setLifecyclePolicy(string(text))
	})
	if err != nil {
		c.t.Fatal(err)
	}
}

// state is all that is kept of the images of a repository, without catching up.
func (c *clocked) state(name string) string {
	c.t.Helper()
	var out []imageRecord
	var due time.Time
	err := c.inRepository(c.store.db.View, &name, func(repo *repository) error {
		due = repo.record.LifecycleDue
		return repo.each(page{}, func(rec *imageRecord) bool { out = append(out, *rec); return true })
	})
	if err != nil {
		c.t.Fatal(err)
	}
	text, err := json.MarshalIndent(out, "", " ")
	if err != nil {
		c.t.Fatal(err)
	}
	return due.String() + "\n" + string(text)
}

func randomImages(r *rand.Rand, now time.Time) []imageRecord {
	images := make([]imageRecord, r.IntN(12))
	ago := func() time.Time { return now.Add(-time.Duration(r.IntN(120*24)) * time.Hour) }
	for i := range images {
		rec := &images[i]
		rec.Digest, rec.MediaType, rec.PushedAt = digest.FromString(fmt.Sprint(i, r.Uint64())).String(), v1.MediaTypeImageManifest, ago()
		if r.IntN(2) == 0 {
			rec.Tags = []string{fmt.Sprintf("%c%d", "ab"[r.IntN(2)], i)}
		}
		if r.IntN(3) == 0 {
			rec.PulledAt = ago()
		}
		switch r.IntN(8) {
		case 0:
			rec.Storage, rec.ArchivedAt = storageArchive, ago()
		case 1:
			rec.Storage, rec.ArchivedAt, rec.ActivatedAt = storageRestored, ago(), now.Add(time.Duration(r.IntN(48)-24)*time.Hour)
		}
		if i > 0 && r.IntN(4) == 0 {
			other := images[r.IntN(i)].Digest
			if r.IntN(2) == 0 {
				rec.Subject = other
			} else {
				rec.MediaType, rec.Children = v1.MediaTypeImageIndex, []string{other}
			}
		}
	}
	return images
}

func randomPolicy(t *testing.T, r *rand.Rand) *lifecycle.Policy {
	t.Helper()
	var rules []lifecycle.Rule
	add := func(s lifecycle.Selection, a lifecycle.Action) {
		if s.CountType != lifecycle.ImageCountMoreThan {
			s.CountUnit = lifecycle.UnitDays
		}
		rules = append(rules, lifecycle.Rule{Priority: len(rules) + 1, Selection: s, Action: a})
	}
	expire, archive := lifecycle.Action{Type: lifecycle.ActionExpire}, lifecycle.Action{Type: lifecycle.ActionTransition, Target: lifecycle.Archive}
	if r.IntN(2) == 0 {
		add(lifecycle.Selection{TagStatus: lifecycle.Untagged, CountType: lifecycle.SinceImagePushed, Count: 1 + r.IntN(90)}, expire)
	}
	if r.IntN(2) == 0 {
		add(lifecycle.Selection{TagStatus: lifecycle.Tagged, TagPrefixes: []string{"a"}, CountType: lifecycle.ImageCountMoreThan, Count: 1 + r.IntN(3)}, expire)
	}
	if r.IntN(2) == 0 {
		add(lifecycle.Selection{TagStatus: lifecycle.Tagged, TagPrefixes: []string{"b"}, CountType: lifecycle.SinceImagePulled, Count: 1 + r.IntN(90)}, archive)
	}
	add(lifecycle.Selection{TagStatus: lifecycle.AnyTags, StorageClass: lifecycle.Archive, CountType: lifecycle.SinceImageTransitioned, Count: 90 + r.IntN(60)}, expire)
	p, err := lifecycle.New(rules...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A clock that is set far ahead must leave what a clock that goes from day to day leaves.
func TestALongTimeIsLikeManyDays(t *testing.T) {
	t.Parallel()
	compareDays(t, 3)
}

func compareDays(t *testing.T, seeds uint64) {
	t.Helper()
	c := newClocked(t)
	for seed := range seeds {
		r := rand.New(rand.NewPCG(seed, 1))
		images, policy := randomImages(r, c.now), randomPolicy(t, r)
		daily, atOnce := fmt.Sprintf("daily%d", seed), fmt.Sprintf("once%d", seed)
		c.fill(daily, policy, images)
		c.fill(atOnce, policy, images)
		for range 10 + r.IntN(200) {
			c.now = c.now.Add(lifecycleInterval)
			if err := c.catchUp(daily); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.catchUp(atOnce); err != nil {
			t.Fatal(err)
		}
		if a, b := c.state(daily), c.state(atOnce); a != b {
			t.Fatalf("seed %d: day by day\n%s\nat once\n%s", seed, a, b)
		}
	}
}

func TestALongTimeDoesNotTakeLong(t *testing.T) {
	c := newClocked(t)
	images := make([]imageRecord, 500)
	for i := range images {
		images[i] = imageRecord{Digest: digest.FromString(fmt.Sprint(i)).String(), MediaType: v1.MediaTypeImageManifest, PushedAt: c.now}
	}
	policy, err := lifecycle.Retention{UntaggedDays: 36_000}.Policy()
	if err != nil {
		t.Fatal(err)
	}
	c.fill("app", policy, images)
	runs := 0
	c.now = c.now.AddDate(98, 0, 0)
	err = c.update(aws.String("app"), func(repo *repository) error {
		return repo.each(page{}, func(*imageRecord) bool { runs++; return true })
	})
	if err != nil || runs != len(images) {
		t.Fatalf("%d images (%v), want all", runs, err)
	}
	out, err := c.GetLifecyclePolicy(context.Background(), &ecr.GetLifecyclePolicyInput{RepositoryName: aws.String("app")})
	if err != nil || c.now.Sub(*out.LastEvaluatedAt) >= lifecycleInterval {
		t.Errorf("last evaluated %v (%v), want less than a day before %v", out.LastEvaluatedAt, err, c.now)
	}
}

func TestExpireAppliesLifecyclePolicies(t *testing.T) {
	c := newClocked(t)
	policy, err := lifecycle.Retention{UntaggedDays: 1}.Policy()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"one", "two"} {
		c.fill(name, policy, []imageRecord{{Digest: digest.FromString(name).String(), MediaType: v1.MediaTypeImageManifest, PushedAt: c.now}})
	}
	c.now = c.now.Add(49 * time.Hour)
	if err := c.store.Expire(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"one", "two"} {
		err := c.inRepository(c.store.db.View, &name, func(repo *repository) error {
			if k, _ := repo.images().Cursor().First(); k != nil {
				t.Errorf("%s has %s", name, k)
			}
			if n := repo.images().Sequence(); n != 0 {
				t.Errorf("%s counts %d images", name, n)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestImageStatus(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		rec  imageRecord
		want types.ImageStatus
	}{
		{imageRecord{}, types.ImageStatusActive},
		{imageRecord{Storage: storageArchive, ArchivedAt: at}, types.ImageStatusArchived},
		{imageRecord{Storage: storageArchive, ArchivedAt: at, ActivatedAt: at.Add(-time.Hour)}, types.ImageStatusArchived},
		{imageRecord{Storage: storageRestored, ArchivedAt: at, ActivatedAt: at}, types.ImageStatusActive},
		{imageRecord{Storage: storageRestored, ArchivedAt: at, ActivatedAt: at.Add(1)}, types.ImageStatusActivating},
	} {
		if got := c.rec.status(at); got != c.want {
			t.Errorf("%+v is %s, want %s", c.rec, got, c.want)
		}
	}
}
