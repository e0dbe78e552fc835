package registry

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/smithy-go"
	bolt "go.etcd.io/bbolt"
)

// Source: user guide, replication backfill.
const (
	// backfillJudged is after how many replications a backfill fails if half of them have failed.
	backfillJudged = 100
	// backfillBatch is how many replications happen in one replication time. AWS documents no rate.
	backfillBatch     = 100
	backfillRetention = 90 * 24 * time.Hour
	// failureThreshold is the code of a backfill that has failed. AWS does not document it.
	failureThreshold = "FAILURE_THRESHOLD_EXCEEDED"
)

var (
	bucketBackfills       = []byte("backfills")       // key of a backfill → backfill
	bucketBackfillResults = []byte("backfillResults") // ID → number → types.ReplicationBackfillResult
	bucketBackfillSteps   = []byte("backfillSteps")   // time when it is due, number → key of a backfill
)

// backfill is a replication backfill without its results.
type backfill struct {
	ID        string                          `json:"id"`
	Account   string                          `json:"account"`
	Region    string                          `json:"region"`
	ToAccount string                          `json:"toAccount"`
	ToRegion  string                          `json:"toRegion"`
	Status    types.ReplicationBackfillStatus `json:"status"`
	StartedAt time.Time                       `json:"startedAt"`
	EndedAt   time.Time                       `json:"endedAt,omitzero"`
	Prepared  bool                            `json:"prepared,omitempty"` // its images are known
	Total     int32                           `json:"total,omitempty"`
	Completed int32                           `json:"completed,omitempty"`
	Failed    int32                           `json:"failed,omitempty"`
	Codes     []string                        `json:"codes,omitempty"` // of what has failed, each once
	Failure   string                          `json:"failure,omitempty"`
}

// key has the registry, and then the time of the start, so that the backfills of a registry are in this order.
func (b *backfill) key() string {
	return fmt.Sprintf("%s/%s %s %s", b.Account, b.Region, b.StartedAt.UTC().Format(dueFormat), b.ID)
}

func (b *backfill) save(tx *bolt.Tx) error {
	return putJSON(tx.Bucket(bucketBackfills), []byte(b.key()), b)
}

// results is the bucket of the results, or nil.
func (b *backfill) results(tx *bolt.Tx) *bolt.Bucket {
	return tx.Bucket(bucketBackfillResults).Bucket([]byte(b.ID))
}

func (b *backfill) ended() bool { return !b.EndedAt.IsZero() }

// target is the destination as replicationTargets returns it.
func (b *backfill) target() replication {
	return replication{Account: b.ToAccount, Region: b.ToRegion, Status: types.ReplicationStatusInProgress}
}

func (b *backfill) destination() *types.ReplicationDestination {
	return &types.ReplicationDestination{Region: aws.String(b.ToRegion), RegistryId: aws.String(b.ToAccount)}
}

func (b *backfill) progress() *types.ReplicationBackfillProgress {
	if !b.Prepared {
		return nil
	}
	return &types.ReplicationBackfillProgress{
		TotalReplicationCount: aws.Int32(b.Total), CompletedReplicationCount: aws.Int32(b.Completed), FailedReplicationCount: aws.Int32(b.Failed),
		FailureCodes: append([]string{}, b.Codes...),
	}
}

func (b *backfill) endedAt() *time.Time {
	if !b.ended() {
		return nil
	}
	return aws.Time(b.EndedAt)
}

func (b *backfill) failureCode() *string {
	if b.Failure == "" {
		return nil
	}
	return aws.String(b.Failure)
}

// backfills returns those of the registry, the oldest first.
func (r *Registry) backfills(tx *bolt.Tx) (all []*backfill, err error) {
	bucket, prefix := tx.Bucket(bucketBackfills), []byte(r.account+"/"+r.region+" ")
	c := bucket.Cursor()
	for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		b := new(backfill)
		if _, err := getJSON(bucket, k, b); err != nil {
			return nil, err
		}
		all = append(all, b)
	}
	return all, nil
}

// backfill returns the one with an ID. Errors: ReplicationBackfillNotFound, InvalidParameter.
func (r *Registry) backfill(tx *bolt.Tx, id *string) (*backfill, error) {
	if id == nil {
		return nil, invalidParameter("replicationBackfillId", "must not be null")
	}
	all, err := r.backfills(tx)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(all, func(b *backfill) bool { return b.ID == *id }); i >= 0 {
		return all[i], nil
	}
	return nil, &types.ReplicationBackfillNotFoundException{Message: aws.String(fmt.Sprintf(
		"The replication backfill with id '%s' does not exist in the registry with id '%s'", *id, r.account))}
}

// stepBackfill does the next step of a backfill: it prepares it, replicates one image, or forgets it 90 days after its
// end. The caller holds store.blobs.
func (s *Store) stepBackfill(tx *bolt.Tx, key string, due time.Time) (err error) {
	defer func() {
		var refused *refusal
		if err != nil && !errors.As(err, &refused) {
			err = fmt.Errorf("replication backfill %s: %w", key, err)
		}
	}()
	b := new(backfill)
	known, err := getJSON(tx.Bucket(bucketBackfills), []byte(key), b)
	switch {
	case err != nil || !known:
		return err
	case b.ended():
		// A backfill that was stopped while it was prepared has a step left that comes before the end of its retention.
		if due.Before(b.EndedAt.Add(backfillRetention)) {
			return nil
		}
		return b.forget(tx)
	case b.Status == types.ReplicationBackfillStatusStopping:
		return b.end(tx, types.ReplicationBackfillStatusStopped, due)
	case b.Status == types.ReplicationBackfillStatusPreparing:
		return s.prepareBackfill(tx, b, due)
	}
	return s.replicateNext(tx, b, due)
}

// end ends a backfill at a time. It is forgotten later.
func (b *backfill) end(tx *bolt.Tx, status types.ReplicationBackfillStatus, at time.Time) error {
	b.Status, b.EndedAt = status, at
	if err := b.save(tx); err != nil {
		return err
	}
	return addJob(tx, bucketBackfillSteps, at.Add(backfillRetention), b.key())
}

func (b *backfill) forget(tx *bolt.Tx) error {
	if b.results(tx) != nil {
		if err := tx.Bucket(bucketBackfillResults).DeleteBucket([]byte(b.ID)); err != nil {
			return err
		}
	}
	return tx.Bucket(bucketBackfills).Delete([]byte(b.key()))
}

// prepareBackfill notes every image and tag of the repositories that the replication configuration has for the
// destination. "Each image and tag combination is counted as a single replication" (API reference).
func (s *Store) prepareBackfill(tx *bolt.Tx, b *backfill, due time.Time) error {
	r := s.Registry(b.Account, b.Region)
	c, err := r.replicationConfiguration(tx)
	if err != nil {
		return err
	}
	results, err := tx.Bucket(bucketBackfillResults).CreateBucketIfNotExists([]byte(b.ID))
	if err != nil {
		return err
	}
	err = s.forEachRepository(tx, func(repo *repository) error {
		from := repo.registry
		if from.account != r.account || from.region != r.region || !slices.Contains(replicationTargets(c, repo.record.Name), b.target()) {
			return nil
		}
		return repo.images().ForEach(func(digest, _ []byte) error {
			rec, err := repo.image(string(digest))
			if err != nil || !rec.active(due) {
				return err
			}
			for _, id := range rec.identifiers() {
				if err := putJSON(results, resultKey(b.Total), types.ReplicationBackfillResult{ImageId: &id, RepositoryName: aws.String(repo.record.Name)}); err != nil {
					return err
				}
				b.Total++
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	b.Status, b.Prepared = types.ReplicationBackfillStatusInProgress, true
	if err := b.save(tx); err != nil {
		return err
	}
	return addJob(tx, bucketBackfillSteps, due.Add(s.replicationTime), b.key())
}

func resultKey(n int32) []byte { return fmt.Appendf(nil, "%010d", n) }

// replicateNext does one replication of a backfill, unless none is left.
func (s *Store) replicateNext(tx *bolt.Tx, b *backfill, due time.Time) error {
	n := b.Completed + b.Failed
	if n == b.Total {
		return b.end(tx, types.ReplicationBackfillStatusComplete, due)
	}
	var result types.ReplicationBackfillResult
	if _, err := getJSON(b.results(tx), resultKey(n), &result); err != nil {
		return err
	}
	job := replicationJob{
		Account: b.Account, Region: b.Region, Repository: *result.RepositoryName, Digest: *result.ImageId.ImageDigest, Tag: aws.ToString(result.ImageId.ImageTag),
		ToAccount: b.ToAccount, ToRegion: b.ToRegion,
	}
	isIndex, err := s.replicateExisting(tx, job)
	var refused smithy.APIError
	if errors.As(err, &refused) {
		code := refused.ErrorCode()
		return &refusal{func(tx *bolt.Tx) error {
			b.Failed++
			if !slices.Contains(b.Codes, code) {
				b.Codes = append(b.Codes, code)
			}
			result.Status, result.FailureCode = types.ReplicationBackfillResultStatusFailed, aws.String(code)
			if isIndex {
				result.SubImageFailureCodes = []string{code}
			}
			return errors.Join(s.noteReplication(tx, job, code), s.noteResult(tx, b, n, result, due))
		}}
	}
	if err != nil {
		return err
	}
	b.Completed++
	result.Status = types.ReplicationBackfillResultStatusComplete
	return errors.Join(s.noteReplication(tx, job, ""), s.noteResult(tx, b, n, result, due))
}

// replicateExisting replicates an image that must still exist, and reports whether it is an index.
func (s *Store) replicateExisting(tx *bolt.Tx, job replicationJob) (isIndex bool, err error) {
	from, err := s.Registry(job.Account, job.Region).repository(tx, job.Repository)
	if err != nil {
		return false, err
	}
	rec, err := from.named(types.ImageIdentifier{ImageDigest: &job.Digest})
	if err != nil {
		return false, err
	}
	return len(rec.Children) > 0, s.Registry(job.ToAccount, job.ToRegion).receive(tx, from, rec, job.Tag)
}

// noteResult stores the result of a replication. It ends the backfill if at least half of at least 100 have failed;
// otherwise it plans the next step.
func (s *Store) noteResult(tx *bolt.Tx, b *backfill, n int32, result types.ReplicationBackfillResult, due time.Time) error {
	if err := putJSON(b.results(tx), resultKey(n), result); err != nil {
		return err
	}
	done := b.Completed + b.Failed
	switch {
	case done >= backfillJudged && b.Failed*2 >= done:
		b.Failure = failureThreshold
		return b.end(tx, types.ReplicationBackfillStatusFailed, due)
	case done%backfillBatch == 0 && done < b.Total:
		due = due.Add(s.replicationTime)
	}
	if err := b.save(tx); err != nil {
		return err
	}
	return addJob(tx, bucketBackfillSteps, due, b.key())
}
