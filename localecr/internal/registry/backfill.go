package registry

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/google/uuid"
	bolt "go.etcd.io/bbolt"
)

// maxBackfills is how many backfills of a registry may run at once (API reference of StartReplicationBackfill).
const maxBackfills = 10

// StartReplicationBackfill begins to replicate the existing images to a destination of the replication configuration.
// Errors: ReplicationBackfillInProgress (to the region of the destination), LimitExceeded, InvalidParameter.
func (r *Registry) StartReplicationBackfill(_ context.Context, in *ecr.StartReplicationBackfillInput) (*ecr.StartReplicationBackfillOutput, error) {
	if in.Destination == nil {
		return nil, invalidParameter("destination", "must not be null")
	}
	if err := r.store.finishDue(); err != nil {
		return nil, err
	}
	b := &backfill{
		ID: uuid.NewString(), Account: r.account, Region: r.region, ToAccount: aws.ToString(in.Destination.RegistryId), ToRegion: aws.ToString(in.Destination.Region),
		Status: types.ReplicationBackfillStatusPreparing, StartedAt: r.now(),
	}
	err := r.store.db.Update(func(tx *bolt.Tx) error {
		c, err := r.replicationConfiguration(tx)
		if err != nil {
			return err
		}
		if !slices.Contains(replicationTargets(c, ""), b.target()) {
			return invalidParameter("destination", "must be a destination of the replication configuration")
		}
		all, err := r.backfills(tx)
		if err != nil {
			return err
		}
		running := 0
		for _, other := range all {
			if other.ended() {
				continue
			}
			if running++; other.ToRegion == b.ToRegion {
				return &types.ReplicationBackfillInProgressException{Message: aws.String(fmt.Sprintf(
					"A replication backfill to the destination Region '%s' is already in progress in the registry with id '%s'", b.ToRegion, r.account))}
			}
		}
		if running >= maxBackfills {
			return limitExceeded("The registry with id '%s' already has the maximum allowed number of replication backfills in progress, %d", r.account, maxBackfills)
		}
		if err := b.save(tx); err != nil {
			return err
		}
		return addJob(tx, bucketBackfillSteps, b.StartedAt.Add(r.store.replicationTime), b.key())
	})
	if err != nil {
		return nil, err
	}
	return &ecr.StartReplicationBackfillOutput{
		Destination: b.destination(), RegistryId: aws.String(r.account), ReplicationBackfillId: aws.String(b.ID), StartedAt: aws.Time(b.StartedAt), Status: b.Status,
	}, nil
}

// StopReplicationBackfill ends a backfill: at once while it is being prepared, otherwise after the replications that are
// in progress. Errors: ReplicationBackfillNotFound, ReplicationBackfillInvalidStatus (it has ended, or is being stopped),
// InvalidParameter.
func (r *Registry) StopReplicationBackfill(_ context.Context, in *ecr.StopReplicationBackfillInput) (*ecr.StopReplicationBackfillOutput, error) {
	if err := r.store.finishDue(); err != nil {
		return nil, err
	}
	var b *backfill
	err := r.store.db.Update(func(tx *bolt.Tx) (err error) {
		if b, err = r.backfill(tx, in.ReplicationBackfillId); err != nil {
			return err
		}
		switch b.Status {
		case types.ReplicationBackfillStatusPreparing:
			return b.end(tx, types.ReplicationBackfillStatusStopped, r.now())
		case types.ReplicationBackfillStatusInProgress:
			b.Status = types.ReplicationBackfillStatusStopping
			return b.save(tx)
		default:
			return &types.ReplicationBackfillInvalidStatusException{Message: aws.String(fmt.Sprintf(
				"The replication backfill with id '%s' cannot be stopped because its status is %s", b.ID, b.Status))}
		}
	})
	if err != nil {
		return nil, err
	}
	return &ecr.StopReplicationBackfillOutput{
		Destination: b.destination(), RegistryId: aws.String(r.account), ReplicationBackfillId: aws.String(b.ID), StartedAt: aws.Time(b.StartedAt), Status: b.Status,
	}, nil
}

// ListReplicationBackfills lists the backfills of the registry, the oldest first. Errors: InvalidParameter.
func (r *Registry) ListReplicationBackfills(_ context.Context, in *ecr.ListReplicationBackfillsInput) (*ecr.ListReplicationBackfillsOutput, error) {
	p, err := newPage("ListReplicationBackfills", in.NextToken, in.MaxResults, 25, 50)
	if err != nil {
		return nil, err
	}
	if err := r.store.finishDue(); err != nil {
		return nil, err
	}
	out := &ecr.ListReplicationBackfillsOutput{RegistryId: aws.String(r.account), Backfills: []types.ReplicationBackfillSummary{}}
	err = r.store.db.View(func(tx *bolt.Tx) error {
		all, err := r.backfills(tx)
		if err != nil {
			return err
		}
		last := ""
		for _, b := range all {
			if b.key() <= p.after {
				continue
			}
			if len(out.Backfills) == p.size {
				out.NextToken = p.next(last)
				return nil
			}
			last = b.key()
			out.Backfills = append(out.Backfills, types.ReplicationBackfillSummary{
				Destination: b.destination(), ReplicationBackfillId: aws.String(b.ID), StartedAt: aws.Time(b.StartedAt), Status: b.Status,
				EndedAt: b.endedAt(), FailureCode: b.failureCode(), Progress: b.progress(),
			})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// DescribeReplicationBackfillResults shows how far a backfill is and, once it has ended, the result for each image and
// tag. Errors: ReplicationBackfillNotFound, InvalidParameter.
func (r *Registry) DescribeReplicationBackfillResults(_ context.Context, in *ecr.DescribeReplicationBackfillResultsInput) (*ecr.DescribeReplicationBackfillResultsOutput, error) {
	p, err := newPage("DescribeReplicationBackfillResults", in.NextToken, in.MaxResults, 100, 1000)
	if err != nil {
		return nil, err
	}
	filter := in.ResultStatusFilter
	if filter != "" && !slices.Contains(filter.Values(), filter) {
		return nil, invalidParameter("resultStatusFilter", "must be one of %v", filter.Values())
	}
	if err := r.store.finishDue(); err != nil {
		return nil, err
	}
	out := &ecr.DescribeReplicationBackfillResultsOutput{RegistryId: aws.String(r.account), Results: []types.ReplicationBackfillResult{}}
	err = r.store.db.View(func(tx *bolt.Tx) error {
		b, err := r.backfill(tx, in.ReplicationBackfillId)
		if err != nil {
			return err
		}
		out.Destination, out.ReplicationBackfillId, out.StartedAt, out.Status = b.destination(), aws.String(b.ID), aws.Time(b.StartedAt), b.Status
		out.EndedAt, out.FailureCode, out.Progress = b.endedAt(), b.failureCode(), b.progress()
		results := b.results(tx)
		if !b.ended() || results == nil {
			return nil
		}
		last, c := "", results.Cursor()
		for k, _ := seekAfter(c, p.after); k != nil; k, _ = c.Next() {
			var result types.ReplicationBackfillResult
			if _, err := getJSON(results, k, &result); err != nil {
				return err
			}
			if result.Status == "" || filter != "" && result.Status != filter { // one without a status was not begun
				continue
			}
			if len(out.Results) == p.size {
				out.NextToken = p.next(last)
				return nil
			}
			out.Results, last = append(out.Results, result), string(k)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
