package registry

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	bolt "go.etcd.io/bbolt"
)

// upstreamInterval is how long a cached tag is not compared with its upstream registry: "at least once every 24 hours"
// (user guide, pull through cache).
const upstreamInterval = 24 * time.Hour

// bucketChecks is where a repository has the times at which its tags were compared with the upstream registry.
var bucketChecks = []byte("upstreamChecks")

// An Upstream is where an image comes from that is pulled through the cache.
type Upstream struct {
	Rule       types.PullThroughCacheRule
	Repository string // of the upstream registry
	NoRepo     bool   // the repository of the cache does not exist
	Digest     string // of the image that the tag has in the cache, "" for none
}

// Upstream returns where to look before an image is pulled. It is nil if no rule is for the repository, or if the cache has
// the image and, of a tag, has compared it in the last 24 hours.
func (r *Registry) Upstream(_ context.Context, name string, id types.ImageIdentifier) (*Upstream, error) {
	if !ValidRepositoryName(name) {
		return nil, nil
	}
	if err := r.catchUp(name); err != nil {
		return nil, err
	}
	var up *Upstream
	err := r.store.db.View(func(tx *bolt.Tx) error {
		found, err := r.upstreamOf(tx, name)
		if err != nil || found == nil {
			return err
		}
		repo, err := r.repository(tx, name)
		var missing *types.RepositoryNotFoundException
		if errors.As(err, &missing) {
			found.NoRepo = true
			up = found
			return nil
		}
		if err != nil {
			return err
		}
		rec, failure, err := repo.resolve(id)
		switch {
		case err != nil:
			return err
		case failure != nil && failure.FailureCode != types.ImageFailureCodeImageNotFound:
			return nil // the call is wrong
		case rec != nil && id.ImageTag == nil:
			return nil
		case rec != nil:
			found.Digest = rec.Digest
			if at, ok := repo.checkedAt(*id.ImageTag); ok && r.now().Sub(at) < upstreamInterval {
				return nil
			}
		}
		up = found
		return nil
	})
	return up, err
}

// upstreamOf finds the rule with the longest prefix of a repository's name, or nil.
func (r *Registry) upstreamOf(tx *bolt.Tx, name string) (*Upstream, error) {
	b, err := r.cacheRules(tx)
	if err != nil || b == nil {
		return nil, err
	}
	for _, prefix := range prefixesOf(name) {
		up := &Upstream{Repository: strings.TrimPrefix(name, prefix+"/")}
		known, err := getJSON(b, []byte(prefix), &up.Rule)
		if err != nil {
			return nil, err
		}
		if !known {
			continue
		}
		if at := strings.TrimSuffix(aws.ToString(up.Rule.UpstreamRepositoryPrefix), "/"); at != rootPrefix && at != "" {
			up.Repository = at + "/" + up.Repository
		}
		return up, nil
	}
	return nil, nil
}

// cached reports whether images have come to the repository through the cache.
func (repo *repository) cached() bool { return repo.bucket.Bucket(bucketChecks) != nil }

func (repo *repository) checkedAt(tag string) (at time.Time, ok bool) {
	if b := repo.bucket.Bucket(bucketChecks); b != nil {
		at, err := time.Parse(time.RFC3339Nano, string(b.Get([]byte(tag))))
		return at, err == nil
	}
	return at, false
}

// NoteUpstreamCheck notes that an image came from its upstream registry, or that its tag, unless it is "", was compared
// with it, just now. Errors: RepositoryNotFound.
func (r *Registry) NoteUpstreamCheck(_ context.Context, name, tag string) error {
	return r.update(&name, func(repo *repository) error {
		b, err := repo.bucket.CreateBucketIfNotExists(bucketChecks)
		if err != nil || tag == "" {
			return err
		}
		return b.Put([]byte(tag), []byte(r.now().Format(time.RFC3339Nano)))
	})
}

// CreateCache makes the repository for what is pulled through the cache: of a template, or with the presets. One that
// exists is no error. Errors: LimitExceeded, InvalidParameter.
func (r *Registry) CreateCache(_ context.Context, name string) error {
	err := r.store.db.Update(func(tx *bolt.Tx) error {
		_, err := r.createAs(tx, name, types.RCTAppliedForPullThroughCache)
		return err
	})
	var exists *types.RepositoryAlreadyExistsException
	if errors.As(err, &exists) {
		return nil
	}
	return err
}
