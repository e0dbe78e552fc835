package registry

import (
	"errors"
	"fmt"
	"time"
	"unique"

	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/opencontainers/go-digest"
	bolt "go.etcd.io/bbolt"

	"github.com/ecrkit/ecrkit/lifecycle"
)

// lifecycleInterval is the time between two applications of a policy: "images are expired within 24
// hours" (user guide, lifecycle policies).
const lifecycleInterval = 24 * time.Hour

// catchUp does in a repository what would have happened by now: signings end, lifecycle policies are
// applied. Whatever reads or changes a repository calls it first. The caller does not hold store.blobs.
func (r *Registry) catchUp(name string) error {
	jobs, due := false, false
	look := func(tx *bolt.Tx) error {
		r.store.trim(tx)
		jobs = r.store.anyDue(tx)
		repo, err := r.repository(tx, name)
		due = err == nil && repo.lifecycleIsDue()
		return ignoreNoRepository(err)
	}
	err := r.store.db.View(look)
	if err == nil && jobs {
		if err = r.store.finishDue(); err == nil {
			err = r.store.db.View(look) // replication may have made the repository
		}
	}
	if err != nil || !due {
		return err
	}
	return r.store.db.Update(func(tx *bolt.Tx) error {
		repo, err := r.repository(tx, name)
		if err != nil {
			return ignoreNoRepository(err)
		}
		return repo.runLifecycle()
	})
}

func ignoreNoRepository(err error) error {
	var unknown *types.RepositoryNotFoundException
	if errors.As(err, &unknown) {
		return nil
	}
	return err
}

func (repo *repository) lifecycleIsDue() bool {
	due := repo.record.LifecycleDue
	return !due.IsZero() && !repo.registry.now().Before(due)
}

// runLifecycle applies the policy as often as it would have been applied by now, each time as of its
// own time: an image is archived before the days that it is kept in the archive begin.
func (repo *repository) runLifecycle() error {
	if !repo.lifecycleIsDue() {
		return nil // another call was faster
	}
	stored, err := repo.lifecyclePolicy()
	if err != nil || stored == nil {
		return err
	}
	policy, err := lifecycle.Parse([]byte(stored.Text))
	if err != nil {
		return fmt.Errorf("lifecycle policy of repository %s: %w", repo.record.Name, err)
	}
	now := repo.registry.now()
	next := repo.record.LifecycleDue
	for !now.Before(next) {
		at := next
		changed, images, err := repo.applyLifecycle(policy, at)
		if err != nil {
			return fmt.Errorf("lifecycle policy of repository %s: %w", repo.record.Name, err)
		}
		stored.EvaluatedAt = at
		next = at.Add(lifecycleInterval)
		if !changed && uint64(len(images)) == repo.images().Sequence() { // no image came later
			next = skipIdle(policy, images, at, next, now)
		}
	}
	// What was skipped changed nothing, but was an evaluation too.
	if last := next.Add(-lifecycleInterval); last.After(stored.EvaluatedAt) {
		stored.EvaluatedAt = last
	}
	repo.record.LifecycleDue = next
	if err := repo.save(); err != nil {
		return err
	}
	return putJSON(repo.bucket, keyLifecycle, stored)
}

// skipIdle is the first application, from next on, that may do what the one before did not: an image
// that only grows older is acted on when more than so many days have passed since one of its times. If there is
// none by now, it is the first one after now.
func skipIdle(p *lifecycle.Policy, images []lifecycle.Image, at, next, now time.Time) time.Time {
	first := now.Add(time.Nanosecond)
	for _, image := range images {
		for _, from := range []time.Time{image.PushedAt, image.LastPulledAt, image.LastActivatedAt, image.LastArchivedAt} {
			for _, rule := range p.Rules() {
				if rule.Selection.CountType == lifecycle.ImageCountMoreThan || from.IsZero() {
					continue
				}
				if ripe := from.AddDate(0, 0, rule.Selection.Count); !ripe.Before(at) && ripe.Before(first) {
					first = ripe
				}
			}
		}
		if image.Status == lifecycle.StatusActivating {
			return next // it becomes one that rules count
		}
	}
	for next.Before(first) {
		next = next.Add(lifecycleInterval)
	}
	return next
}

// applyLifecycle deletes and archives what the policy says at a time, and reports whether that was
// anything. The images are those that there were before.
func (repo *repository) applyLifecycle(p *lifecycle.Policy, at time.Time) (changed bool, images []lifecycle.Image, err error) {
	images, err = repo.lifecycleImages(at)
	if err != nil {
		return false, nil, err
	}
	for i, v := range lifecycle.Evaluate(p, images, at).Verdicts {
		if v.Outcome == lifecycle.Keep {
			continue
		}
		rec, err := repo.image(images[i].Digest.String())
		if err != nil {
			return false, nil, err
		}
		switch v.Outcome {
		case lifecycle.Expire:
			for _, tag := range rec.Tags {
				if err := repo.tags().Delete([]byte(tag)); err != nil {
					return false, nil, err
				}
			}
			err = repo.forgetImage(rec, at)
		case lifecycle.Transition:
			if err = repo.archive(rec, at); err == nil {
				err = repo.saveImage(rec)
			}
		}
		if err != nil {
			return false, nil, err
		}
		changed = true
	}
	return changed, images, nil
}

// lifecycleImages are the images that there were at a time, as the evaluator takes them, by digest. All of them are in memory
// at once, unlike their records.
func (repo *repository) lifecycleImages(at time.Time) ([]lifecycle.Image, error) {
	images := make([]lifecycle.Image, 0, repo.images().Sequence())
	err := repo.each(page{}, func(rec *imageRecord) bool {
		if !rec.PushedAt.After(at) {
			images = append(images, rec.lifecycleImage(at))
		}
		return true
	})
	return images, err
}

func (rec *imageRecord) lifecycleImage(at time.Time) lifecycle.Image {
	image := lifecycle.Image{
		Digest: digest.Digest(rec.Digest), Tags: rec.Tags, MediaType: unique.Make(rec.MediaType).Value(), Status: lifecycle.Status(rec.status(at)),
		PushedAt: rec.PushedAt, LastPulledAt: rec.PulledAt, LastArchivedAt: rec.ArchivedAt,
		Subject: digest.Digest(rec.Subject), Size: rec.Size, ManifestSize: rec.ManifestSize,
	}
	if !rec.ActivatedAt.After(at) {
		image.LastActivatedAt = rec.ActivatedAt
	}
	if image.IsIndex() {
		image.Children = []digest.Digest{}
	}
	for _, child := range rec.Children {
		image.Children = append(image.Children, digest.Digest(child))
	}
	return image
}
