package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/smithy-go"
	bolt "go.etcd.io/bbolt"

	"github.com/ecrkit/ecrkit/internal/lazyregexp"
)

// Source of the counts and patterns: user guide, service quotas; API reference of ReplicationRule,
// RepositoryFilter and ReplicationDestination.
const (
	maxReplicationRules        = 10
	maxReplicationDestinations = 25 // different ones, in all rules
	maxReplicationFilters      = 100
)

var (
	replicationFilterPattern = lazyregexp.New(`^(?:[a-z0-9]+(?:[._-][a-z0-9]*)*/)*[a-z0-9]*(?:[._-][a-z0-9]*)*$`)
	regionPattern            = lazyregexp.New(`^[0-9a-z-]{2,25}$`)
	accountPattern           = lazyregexp.New(`^[0-9]{12}$`)
)

// keyReplication is where a registry has its types.ReplicationConfiguration.
var keyReplication = []byte("replication")

// replication is how far an image is on its way to a destination.
type replication struct {
	Account string                  `json:"account"`
	Region  string                  `json:"region"`
	Status  types.ReplicationStatus `json:"status"`
	Failure string                  `json:"failure,omitempty"` // code
}

// replicationJob is an image, with a tag if it was pushed with one, that is not yet at its destination.
type replicationJob struct {
	Account    string `json:"account"`
	Region     string `json:"region"`
	Repository string `json:"repository"`
	Digest     string `json:"digest"`
	Tag        string `json:"tag,omitempty"`
	ToAccount  string `json:"toAccount"`
	ToRegion   string `json:"toRegion"`
}

// PutReplicationConfiguration stores the rules; none ends replication. Images that are there already
// are not replicated. Errors: InvalidParameter.
func (r *Registry) PutReplicationConfiguration(_ context.Context, in *ecr.PutReplicationConfigurationInput) (*ecr.PutReplicationConfigurationOutput, error) {
	c := in.ReplicationConfiguration
	if c == nil {
		return nil, invalidParameter("replicationConfiguration", "must not be null")
	}
	if err := r.checkReplication(c); err != nil {
		return nil, err
	}
	err := r.store.db.Update(func(tx *bolt.Tx) error {
		b, err := r.bucket(tx)
		if err != nil {
			return err
		}
		return putJSON(b, keyReplication, c)
	})
	if err != nil {
		return nil, err
	}
	return &ecr.PutReplicationConfigurationOutput{ReplicationConfiguration: c}, nil
}

func (r *Registry) checkReplication(c *types.ReplicationConfiguration) error {
	const member = "replicationConfiguration"
	if len(c.Rules) > maxReplicationRules {
		return invalidParameter(member+".rules", "must have a length between 0 and %d", maxReplicationRules)
	}
	if c.Rules == nil {
		return invalidParameter(member+".rules", "must not be null")
	}
	for i, rule := range c.Rules {
		member := fmt.Sprintf("%s.rules.%d.member", member, i+1)
		if len(rule.Destinations) > maxReplicationDestinations || rule.Destinations == nil {
			return invalidParameter(member+".destinations", "must have a length between 0 and %d", maxReplicationDestinations)
		}
		for _, d := range rule.Destinations {
			region, account := aws.ToString(d.Region), aws.ToString(d.RegistryId)
			switch {
			case !regionPattern.MatchString(region):
				return invalidParameter(member+".destinations.region", "must satisfy regular expression '%s'", regionPattern)
			case !accountPattern.MatchString(account):
				return invalidParameter(member+".destinations.registryId", "must satisfy regular expression '%s'", accountPattern)
			case region == r.region && account == r.account:
				return invalidParameter(member+".destinations", "must not be the registry itself, %s in %s", account, region)
			}
		}
		if len(rule.RepositoryFilters) > maxReplicationFilters {
			return invalidParameter(member+".repositoryFilters", "must have a length between 0 and %d", maxReplicationFilters)
		}
		for _, f := range rule.RepositoryFilters {
			filter := aws.ToString(f.Filter)
			switch {
			case f.FilterType != types.RepositoryFilterTypePrefixMatch:
				return invalidParameter(member+".repositoryFilters.filterType", "must be %s", types.RepositoryFilterTypePrefixMatch)
			case len(filter) < 2 || len(filter) > 256 || !replicationFilterPattern.MatchString(filter):
				return invalidParameter(member+".repositoryFilters.filter", "must satisfy regular expression '%s' and have 2 to 256 characters", replicationFilterPattern)
			}
		}
	}
	if len(replicationTargets(c, "")) > maxReplicationDestinations {
		return invalidParameter(member, "must have at most %d different destinations", maxReplicationDestinations)
	}
	return nil
}

// replicationTargets are the destinations of a repository, each once; all of them for "".
func replicationTargets(c *types.ReplicationConfiguration, repository string) (targets []replication) {
	for _, rule := range c.Rules {
		matches := func(f types.RepositoryFilter) bool { return strings.HasPrefix(repository, *f.Filter) }
		if repository != "" && len(rule.RepositoryFilters) > 0 && !slices.ContainsFunc(rule.RepositoryFilters, matches) {
			continue
		}
		for _, d := range rule.Destinations {
			target := replication{Account: *d.RegistryId, Region: *d.Region, Status: types.ReplicationStatusInProgress}
			if !slices.Contains(targets, target) {
				targets = append(targets, target)
			}
		}
	}
	return targets
}

func (r *Registry) replicationConfiguration(tx *bolt.Tx) (*types.ReplicationConfiguration, error) {
	c := &types.ReplicationConfiguration{Rules: []types.ReplicationRule{}}
	b, err := r.bucket(tx)
	if err != nil || b == nil {
		return c, err
	}
	_, err = getJSON(b, keyReplication, c)
	return c, err
}

// DescribeRegistry shows the registry's replication.
func (r *Registry) DescribeRegistry(context.Context, *ecr.DescribeRegistryInput) (*ecr.DescribeRegistryOutput, error) {
	out := &ecr.DescribeRegistryOutput{RegistryId: aws.String(r.account)}
	err := r.store.db.View(func(tx *bolt.Tx) (err error) {
		out.ReplicationConfiguration, err = r.replicationConfiguration(tx)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// DescribeImageReplicationStatus shows how far an image is on its way to each destination. Errors:
// RepositoryNotFound, ImageNotFound, InvalidParameter.
func (r *Registry) DescribeImageReplicationStatus(_ context.Context, in *ecr.DescribeImageReplicationStatusInput) (*ecr.DescribeImageReplicationStatusOutput, error) {
	if in.ImageId == nil {
		return nil, invalidParameter("imageId", "must not be null")
	}
	out := &ecr.DescribeImageReplicationStatusOutput{RepositoryName: in.RepositoryName, ReplicationStatuses: []types.ImageReplicationStatus{}}
	err := r.view(in.RepositoryName, func(repo *repository) error {
		rec, err := repo.named(*in.ImageId)
		if err != nil {
			return err
		}
		out.ImageId = &types.ImageIdentifier{ImageDigest: aws.String(rec.Digest), ImageTag: in.ImageId.ImageTag}
		for _, p := range rec.Replications {
			status := types.ImageReplicationStatus{Region: aws.String(p.Region), RegistryId: aws.String(p.Account), Status: p.Status}
			if p.Failure != "" {
				status.FailureCode = aws.String(p.Failure)
			}
			out.ReplicationStatuses = append(out.ReplicationStatuses, status)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// startReplication sends an image that was pushed just now on its way. What arrives by replication is
// not replicated again (user guide, private image replication).
func (repo *repository) startReplication(rec *imageRecord, tag string) error {
	r, tx := repo.registry, repo.bucket.Tx()
	c, err := r.replicationConfiguration(tx)
	if err != nil {
		return err
	}
	for _, target := range replicationTargets(c, repo.record.Name) {
		rec.setReplication(target)
		job := replicationJob{Account: r.account, Region: r.region, Repository: repo.record.Name, Digest: rec.Digest, Tag: tag, ToAccount: target.Account, ToRegion: target.Region}
		if err := addJob(tx, bucketReplications, r.now().Add(r.store.replicationTime), job); err != nil {
			return err
		}
	}
	return nil
}

func (rec *imageRecord) setReplication(p replication) {
	i := slices.IndexFunc(rec.Replications, func(have replication) bool { return have.Account == p.Account && have.Region == p.Region })
	if i < 0 {
		rec.Replications = append(rec.Replications, p)
		return
	}
	rec.Replications[i] = p
}

// finishReplication stores an image at its destination, if it is still at its source, or notes the code
// of the error with which a push would have failed: AWS does not document its codes. The caller holds store.blobs.
func (s *Store) finishReplication(tx *bolt.Tx, job replicationJob, _ time.Time) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("replicate %s in %s: %w", job.Digest, job.Repository, err)
		}
	}()
	from, err := s.Registry(job.Account, job.Region).repository(tx, job.Repository)
	if err != nil {
		return ignoreNoRepository(err)
	}
	rec, err := from.image(job.Digest)
	if err != nil || rec == nil || !rec.active(from.registry.now()) {
		return err
	}
	err = s.Registry(job.ToAccount, job.ToRegion).receive(tx, from, rec, job.Tag)
	var refused smithy.APIError
	if errors.As(err, &refused) {
		return &refusal{func(tx *bolt.Tx) error { return s.noteReplication(tx, job, refused.ErrorCode()) }}
	}
	if err != nil {
		return err
	}
	return s.noteReplication(tx, job, "")
}

// noteReplication notes in the image at the source that a replication has ended: well, or with the code of
// a failure.
func (s *Store) noteReplication(tx *bolt.Tx, job replicationJob, failure string) error {
	from, err := s.Registry(job.Account, job.Region).repository(tx, job.Repository)
	if err != nil {
		return ignoreNoRepository(err)
	}
	rec, err := from.image(job.Digest)
	if err != nil || rec == nil {
		return err
	}
	status := replication{Account: job.ToAccount, Region: job.ToRegion, Status: types.ReplicationStatusComplete, Failure: failure}
	if failure != "" {
		status.Status = types.ReplicationStatusFailed
	}
	rec.setReplication(status)
	return from.saveImage(rec)
}

// receive stores an image of another registry, and moves its tag.
func (r *Registry) receive(tx *bolt.Tx, from *repository, rec *imageRecord, tag string) error {
	allow := func(action string) error {
		if r.account == from.registry.account {
			return nil
		}
		return r.authorizeReplication(tx, from.registry.account, action, from.record.Name)
	}
	if err := allow("ecr:ReplicateImage"); err != nil {
		return err
	}
	repo, err := r.repository(tx, from.record.Name)
	var missing *types.RepositoryNotFoundException
	if errors.As(err, &missing) {
		if err = allow("ecr:CreateRepository"); err == nil {
			repo, err = r.createAs(tx, from.record.Name, types.RCTAppliedForReplication)
		}
	}
	if err != nil {
		return err
	}
	if holder := string(repo.tags().Get([]byte(tag))); tag != "" && holder != "" && holder != rec.Digest && !repo.record.mutable(tag) {
		return repo.immutableTag(tag)
	}
	have, err := repo.receiveImage(from, rec)
	if err == nil && !have.active(r.now()) {
		err = repo.pushAgain(have)
	}
	if err != nil {
		return err
	}
	if tag != "" {
		if err := repo.setTag(have, tag); err != nil {
			return err
		}
	}
	if len(have.Tags) > r.store.limits.TagsPerImage {
		return limitExceeded("The image with digest '%s' in the repository with name '%s' already has the maximum allowed number of tags, %d", have.Digest, repo.record.Name, r.store.limits.TagsPerImage)
	}
	return repo.saveImage(have)
}

// createAs makes a repository that comes into being in a way: of a template, or with the presets. "Replication
// doesn't replicate settings of repositories" (user guide).
func (r *Registry) createAs(tx *bolt.Tx, name string, way types.RCTAppliedFor) (*repository, error) {
	t, err := r.templateFor(tx, name, way)
	if err != nil {
		return nil, err
	}
	if t == nil {
		return r.create(tx, repositoryRecord{Name: name, CreatedAt: r.now(), Mutability: types.ImageTagMutabilityMutable, EncryptionType: types.EncryptionTypeAes256})
	}
	if err := r.createFrom(tx, name, t); err != nil {
		return nil, err
	}
	return r.repository(tx, name)
}

// receiveImage stores an image with its layers and, if it is an index, its images.
func (repo *repository) receiveImage(from *repository, rec *imageRecord) (*imageRecord, error) {
	if have, err := repo.image(rec.Digest); err != nil || have != nil {
		return have, err
	}
	for _, layer := range rec.Layers {
		have, err := repo.layer(layer)
		if err != nil {
			return nil, err
		}
		source, err := from.layer(layer)
		if err != nil {
			return nil, err
		}
		if have != nil || source == nil {
			continue
		}
		if err := repo.addLayer(layer, source.Size); err != nil {
			return nil, err
		}
	}
	for _, digest := range rec.Children {
		child, err := from.image(digest)
		if err == nil && child != nil {
			if child, err = repo.receiveImage(from, child); err == nil {
				err = repo.saveImage(child)
			}
		}
		if err != nil {
			return nil, err
		}
	}
	text := string(from.manifests().Get([]byte(rec.Digest)))
	m, err := parseManifest([]byte(text), rec.MediaType, repo.registry.store.limits.MaxManifest, repo.registry.store.quirks)
	if err != nil {
		return nil, err
	}
	have, err := repo.newImage(m, rec.Digest, text)
	if err != nil {
		return nil, err
	}
	return have, repo.startScan(have, have.PushedAt)
}
