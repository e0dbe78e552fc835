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
)

// repositoryRecord is what is kept of a repository beside its images and layers.
type repositoryRecord struct {
	Name           string                                    `json:"name"`
	CreatedAt      time.Time                                 `json:"createdAt"`
	Mutability     types.ImageTagMutability                  `json:"mutability"`
	Exclusions     []types.ImageTagMutabilityExclusionFilter `json:"exclusions,omitempty"`
	ScanOnPush     bool                                      `json:"scanOnPush,omitempty"`
	EncryptionType types.EncryptionType                      `json:"encryptionType"`
	KMSKey         string                                    `json:"kmsKey,omitempty"`
	Policy         string                                    `json:"policy,omitempty"`
	Tags           map[string]string                         `json:"tags,omitempty"`
	LifecycleDue   time.Time                                 `json:"lifecycleDue,omitzero"` // when the policy is applied next
}

// A repository is one repository within a transaction.
type repository struct {
	registry *Registry
	bucket   *bolt.Bucket
	record   repositoryRecord
}

func (r *Registry) repository(tx *bolt.Tx, name string) (*repository, error) {
	b, err := r.bucket(tx)
	if err != nil {
		return nil, err
	}
	if b != nil {
		b = b.Bucket(bucketRepositories).Bucket([]byte(name))
	}
	if b == nil {
		return nil, r.repositoryNotFound(name)
	}
	repo := &repository{registry: r, bucket: b}
	if _, err := getJSON(b, keyRecord, &repo.record); err != nil {
		return nil, fmt.Errorf("repository %s: %w", name, err)
	}
	return repo, nil
}

func (repo *repository) save() error { return putJSON(repo.bucket, keyRecord, repo.record) }

// view runs f on the named repository in a read-only transaction. The caller does not hold
// store.blobs.
func (r *Registry) view(name *string, f func(*repository) error) error {
	if err := r.catchUp(aws.ToString(name)); err != nil {
		return err
	}
	return r.inRepository(r.store.db.View, name, f)
}

// update runs f on the named repository in a transaction: all that f writes, or nothing, is kept. Other calls may share the
// transaction, and f may run more than once: see [writer.update]. The caller does not hold store.blobs.
func (r *Registry) update(name *string, f func(*repository) error) error {
	if err := r.catchUp(aws.ToString(name)); err != nil {
		return err
	}
	return r.updateBlobs(name, f)
}

// updateBlobs is update for a caller that holds store.blobs, and so cannot catch up.
func (r *Registry) updateBlobs(name *string, f func(*repository) error) error {
	return r.inRepository(r.store.writer.update, name, f)
}

func (r *Registry) inRepository(transact func(func(*bolt.Tx) error) error, name *string, f func(*repository) error) error {
	n, err := checkRepositoryName(name)
	if err != nil {
		return err
	}
	return transact(func(tx *bolt.Tx) error {
		repo, err := r.repository(tx, n)
		if err != nil {
			return err
		}
		return f(repo)
	})
}

// description is the repository as the API shows it.
func (repo *repository) description() types.Repository {
	r, rec := repo.registry, repo.record
	out := types.Repository{
		CreatedAt:                          aws.Time(rec.CreatedAt),
		EncryptionConfiguration:            &types.EncryptionConfiguration{EncryptionType: rec.EncryptionType},
		ImageScanningConfiguration:         &types.ImageScanningConfiguration{ScanOnPush: rec.ScanOnPush},
		ImageTagMutability:                 rec.Mutability,
		ImageTagMutabilityExclusionFilters: rec.Exclusions,
		RegistryId:                         aws.String(r.account),
		RepositoryArn:                      aws.String(r.repositoryARN(rec.Name)),
		RepositoryName:                     aws.String(rec.Name),
	}
	if r.host != "" {
		out.RepositoryUri = aws.String(r.host + "/" + rec.Name)
	}
	if rec.KMSKey != "" {
		out.EncryptionConfiguration.KmsKey = aws.String(rec.KMSKey)
	}
	return out
}

// CreateRepository makes a repository. Errors: RepositoryAlreadyExists, InvalidTagParameter,
// TooManyTags, LimitExceeded, InvalidParameter.
func (r *Registry) CreateRepository(_ context.Context, in *ecr.CreateRepositoryInput) (*ecr.CreateRepositoryOutput, error) {
	name, err := checkRepositoryName(in.RepositoryName)
	if err != nil {
		return nil, err
	}
	rec := repositoryRecord{Name: name, CreatedAt: r.now(), EncryptionType: types.EncryptionTypeAes256}
	if rec.Mutability, rec.Exclusions, err = checkMutability(in.ImageTagMutability, in.ImageTagMutabilityExclusionFilters); err != nil {
		return nil, err
	}
	if rec.Tags, err = mergeTags(nil, in.Tags); err != nil {
		return nil, err
	}
	if c := in.ImageScanningConfiguration; c != nil {
		rec.ScanOnPush = c.ScanOnPush
	}
	if c := in.EncryptionConfiguration; c != nil {
		if rec.EncryptionType, rec.KMSKey, err = r.checkEncryption(c); err != nil {
			return nil, err
		}
	}
	var out types.Repository
	err = r.store.writer.update(func(tx *bolt.Tx) error {
		repo, err := r.create(tx, rec)
		if err == nil {
			out = repo.description()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return &ecr.CreateRepositoryOutput{Repository: &out}, nil
}

// create makes an empty repository. Errors: RepositoryAlreadyExists, LimitExceeded.
func (r *Registry) create(tx *bolt.Tx, rec repositoryRecord) (*repository, error) {
	b, err := r.bucket(tx)
	if err != nil {
		return nil, err
	}
	all := b.Bucket(bucketRepositories)
	if all.Bucket([]byte(rec.Name)) != nil {
		return nil, &types.RepositoryAlreadyExistsException{Message: aws.String(fmt.Sprintf(
			"The repository with name '%s' already exists in the registry with id '%s'", rec.Name, r.account))}
	}
	if err := countUp(all, 1); err != nil {
		return nil, err
	}
	if all.Sequence() > uint64(r.store.limits.Repositories) {
		return nil, limitExceeded("The registry with id '%s' already has the maximum allowed number of repositories, %d", r.account, r.store.limits.Repositories)
	}
	repoBucket, err := all.CreateBucket([]byte(rec.Name))
	if err != nil {
		return nil, err
	}
	for _, sub := range [][]byte{bucketLayers, bucketImages, bucketManifests, bucketTags, bucketUses, bucketReferrers} {
		if _, err := repoBucket.CreateBucket(sub); err != nil {
			return nil, err
		}
	}
	repo := &repository{registry: r, bucket: repoBucket, record: rec}
	return repo, repo.save()
}

func (r *Registry) checkEncryption(c *types.EncryptionConfiguration) (kind types.EncryptionType, key string, err error) {
	if !slices.Contains(c.EncryptionType.Values(), c.EncryptionType) {
		return "", "", invalidParameter("encryptionConfiguration.encryptionType", "must be one of %v", c.EncryptionType.Values())
	}
	key = aws.ToString(c.KmsKey)
	if c.EncryptionType == types.EncryptionTypeAes256 {
		if key != "" {
			return "", "", invalidParameter("encryptionConfiguration.kmsKey", "must not be given with encryptionType AES256")
		}
		return c.EncryptionType, "", nil
	}
	if key == "" {
		key, err = r.store.defaultKey(r.account, r.region)
		return c.EncryptionType, key, err
	}
	var missing smithy.APIError
	if err = r.store.checkKey(r.account, r.region, key); errors.As(err, &missing) {
		// As https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html has it: kmsError is KMS's code.
		err = &types.KmsException{Message: aws.String(missing.ErrorMessage()), KmsError: aws.String(missing.ErrorCode())}
	}
	return c.EncryptionType, key, err
}

// DescribeRepositories lists repositories by name, or those named. Errors: RepositoryNotFound,
// InvalidParameter (names and paging exclude each other).
func (r *Registry) DescribeRepositories(_ context.Context, in *ecr.DescribeRepositoriesInput) (*ecr.DescribeRepositoriesOutput, error) {
	out := &ecr.DescribeRepositoriesOutput{Repositories: []types.Repository{}}
	if len(in.RepositoryNames) > 0 {
		if in.MaxResults != nil || in.NextToken != nil {
			return nil, invalidParameter("repositoryNames", "must not be given with maxResults or nextToken")
		}
		if err := checkBatch("repositoryNames", len(in.RepositoryNames)); err != nil {
			return nil, err
		}
		for _, name := range in.RepositoryNames {
			err := r.view(&name, func(repo *repository) error {
				out.Repositories = append(out.Repositories, repo.description())
				return nil
			})
			if err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	if err := r.store.finishDue(); err != nil { // replication creates repositories
		return nil, err
	}
	p, err := newPage("DescribeRepositories", in.NextToken, in.MaxResults, 100, 1000)
	if err != nil {
		return nil, err
	}
	err = r.store.db.View(func(tx *bolt.Tx) error {
		b, err := r.bucket(tx)
		if err != nil || b == nil {
			return err
		}
		c := b.Bucket(bucketRepositories).Cursor()
		last := ""
		for k, _ := seekAfter(c, p.after); k != nil; k, _ = c.Next() {
			if len(out.Repositories) == p.size {
				out.NextToken = p.next(last)
				return nil
			}
			repo, err := r.repository(tx, string(k))
			if err != nil {
				return err
			}
			out.Repositories = append(out.Repositories, repo.description())
			last = string(k)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// seekAfter moves the cursor to the first key behind after, "" for the first of all.
func seekAfter(c *bolt.Cursor, after string) (key, value []byte) {
	if after == "" {
		return c.First()
	}
	if key, value = c.Seek([]byte(after)); string(key) == after {
		return c.Next()
	}
	return key, value
}

// DeleteRepository removes a repository, with its images only if Force is set. Errors:
// RepositoryNotFound, RepositoryNotEmpty.
func (r *Registry) DeleteRepository(_ context.Context, in *ecr.DeleteRepositoryInput) (*ecr.DeleteRepositoryOutput, error) {
	name, err := checkRepositoryName(in.RepositoryName)
	if err != nil {
		return nil, err
	}
	if err := r.catchUp(name); err != nil {
		return nil, err
	}
	var out types.Repository
	err = r.store.releasing(func(tx *bolt.Tx) ([]string, error) {
		repo, err := r.repository(tx, name)
		if err != nil {
			return nil, err
		}
		if k, _ := repo.images().Cursor().First(); k != nil && !in.Force {
			return nil, &types.RepositoryNotEmptyException{Message: aws.String(fmt.Sprintf(
				"The repository with name '%s' in registry with id '%s' cannot be deleted because it still contains images", name, r.account))}
		}
		var layers []string
		err = repo.layers().ForEach(func(k, _ []byte) error {
			layers = append(layers, string(k))
			return nil
		})
		if err != nil {
			return nil, err
		}
		out = repo.description()
		b, err := r.bucket(tx)
		if err != nil {
			return nil, err
		}
		all := b.Bucket(bucketRepositories)
		if err := countUp(all, -1); err != nil {
			return nil, err
		}
		return layers, all.DeleteBucket([]byte(name))
	})
	if err != nil {
		return nil, err
	}
	err = r.store.dropUploads(func(u uploadRecord) bool {
		return u.Account == r.account && u.Region == r.region && u.Repository == name
	})
	if err != nil {
		return nil, err
	}
	return &ecr.DeleteRepositoryOutput{Repository: &out}, nil
}

// The parts of a repository.
func (repo *repository) layers() *bolt.Bucket    { return repo.bucket.Bucket(bucketLayers) }
func (repo *repository) images() *bolt.Bucket    { return repo.bucket.Bucket(bucketImages) }
func (repo *repository) manifests() *bolt.Bucket { return repo.bucket.Bucket(bucketManifests) }
func (repo *repository) tags() *bolt.Bucket      { return repo.bucket.Bucket(bucketTags) }
func (repo *repository) uses() *bolt.Bucket      { return repo.bucket.Bucket(bucketUses) }
func (repo *repository) referrers() *bolt.Bucket { return repo.bucket.Bucket(bucketReferrers) }

// partition is the AWS partition of the registry's region: the second field of its ARNs.
func (r *Registry) partition() string {
	switch {
	case strings.HasPrefix(r.region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(r.region, "us-gov-"):
		return "aws-us-gov"
	default:
		return "aws"
	}
}

func (r *Registry) repositoryARN(name string) string {
	return fmt.Sprintf("arn:%s:ecr:%s:%s:repository/%s", r.partition(), r.region, r.account, name)
}
