package governance

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

// ErrBackfillUnfinished reports that a backfill had not ended when the time to wait was over.
var ErrBackfillUnfinished = errors.New("the backfill has not ended")

// A Backfill replicates the images that a registry already had when a destination was added:
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/replication-backfill.html.
type Backfill struct {
	ID           string                 `json:"replicationBackfillId"`
	Destination  ReplicationDestination `json:"destination"`
	Status       string                 `json:"status"` // PREPARING, IN_PROGRESS, COMPLETE, FAILED, STOPPING or STOPPED
	StartedAt    *time.Time             `json:"startedAt,omitempty"`
	EndedAt      *time.Time             `json:"endedAt,omitempty"`
	FailureCode  string                 `json:"failureCode,omitempty"`
	Total        int32                  `json:"totalReplicationCount"`
	Completed    int32                  `json:"completedReplicationCount"`
	Failed       int32                  `json:"failedReplicationCount"`
	FailureCodes []string               `json:"failureCodes,omitempty"` // of images
}

// Ended reports whether nothing more will happen.
func (b Backfill) Ended() bool {
	switch types.ReplicationBackfillStatus(b.Status) {
	case types.ReplicationBackfillStatusComplete, types.ReplicationBackfillStatusFailed, types.ReplicationBackfillStatusStopped:
		return true
	}
	return false
}

func (b *Backfill) progress(p *types.ReplicationBackfillProgress) {
	if p != nil {
		b.Total, b.Completed, b.Failed = aws.ToInt32(p.TotalReplicationCount), aws.ToInt32(p.CompletedReplicationCount), aws.ToInt32(p.FailedReplicationCount)
		b.FailureCodes = p.FailureCodes
	}
}

// A FailedReplication is an image that a backfill did not replicate.
type FailedReplication struct {
	Repository  string `json:"repository"`
	Digest      string `json:"digest,omitempty"`
	Tag         string `json:"tag,omitempty"`
	FailureCode string `json:"failureCode,omitempty"`
}

const backfillObject = "replication backfill"

var (
	// ErrNoBackfill reports that a registry has no backfill of an ID.
	ErrNoBackfill = errors.New("there is no such backfill")
	// ErrNoDestination reports that no rule of a registry replicates to a destination.
	ErrNoDestination = errors.New("no replication rule has this destination")
)

// failBackfill wraps an error of a call about a backfill.
func (r *Registry) failBackfill(id string, err error) error {
	var none *types.ReplicationBackfillNotFoundException
	if errors.As(err, &none) {
		return fmt.Errorf("%s: %s %s: %w", r.Host, backfillObject, id, ErrNoBackfill)
	}
	return r.fail(backfillObject+" "+id, "", err)
}

// StartBackfill starts a backfill to a destination of the replication configuration.
func (r *Registry) StartBackfill(ctx context.Context, d ReplicationDestination) (Backfill, error) {
	out, err := r.api.StartReplicationBackfill(ctx, &ecr.StartReplicationBackfillInput{
		RegistryId: aws.String(r.Account), Destination: &types.ReplicationDestination{Region: aws.String(d.Region), RegistryId: aws.String(d.Account)},
	})
	var invalid *types.InvalidParameterException
	if errors.As(err, &invalid) && strings.Contains(invalid.ErrorMessage(), "replication configuration") {
		return Backfill{}, fmt.Errorf("%s: %s to %s: %w", r.Host, backfillObject, d, ErrNoDestination)
	}
	if err != nil {
		return Backfill{}, r.fail(backfillObject+" to "+d.String(), "", err)
	}
	return Backfill{ID: aws.ToString(out.ReplicationBackfillId), Destination: destinationOf(out.Destination), Status: string(out.Status), StartedAt: out.StartedAt}, nil
}

// StopBackfill stops a backfill that runs. What it has replicated stays.
func (r *Registry) StopBackfill(ctx context.Context, id string) (Backfill, error) {
	out, err := r.api.StopReplicationBackfill(ctx, &ecr.StopReplicationBackfillInput{RegistryId: aws.String(r.Account), ReplicationBackfillId: aws.String(id)})
	if err != nil {
		return Backfill{}, r.failBackfill(id, err)
	}
	return Backfill{ID: aws.ToString(out.ReplicationBackfillId), Destination: destinationOf(out.Destination), Status: string(out.Status), StartedAt: out.StartedAt}, nil
}

// Backfills returns the backfills of the registry that Amazon ECR still lists.
func (r *Registry) Backfills(ctx context.Context) ([]Backfill, error) {
	all := []Backfill{}
	pages := ecr.NewListReplicationBackfillsPaginator(r.api, &ecr.ListReplicationBackfillsInput{RegistryId: aws.String(r.Account)}, func(o *ecr.ListReplicationBackfillsPaginatorOptions) {
		o.StopOnDuplicateToken = true
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, r.fail(backfillObject+"s", "", err)
		}
		for _, s := range page.Backfills {
			b := Backfill{
				ID: aws.ToString(s.ReplicationBackfillId), Destination: destinationOf(s.Destination), Status: string(s.Status),
				StartedAt: s.StartedAt, EndedAt: s.EndedAt, FailureCode: aws.ToString(s.FailureCode),
			}
			b.progress(s.Progress)
			all = append(all, b)
		}
	}
	return all, nil
}

// Backfill reads how far a backfill is, and, once it has ended, which images it did not replicate.
func (r *Registry) Backfill(ctx context.Context, id string) (Backfill, []FailedReplication, error) {
	failed := []FailedReplication{}
	var b Backfill
	in := &ecr.DescribeReplicationBackfillResultsInput{
		RegistryId: aws.String(r.Account), ReplicationBackfillId: aws.String(id), ResultStatusFilter: types.ReplicationBackfillResultStatusFailed,
	}
	pages := ecr.NewDescribeReplicationBackfillResultsPaginator(r.api, in, func(o *ecr.DescribeReplicationBackfillResultsPaginatorOptions) { o.StopOnDuplicateToken = true })
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return b, nil, r.failBackfill(id, err)
		}
		b = Backfill{
			ID: aws.ToString(page.ReplicationBackfillId), Destination: destinationOf(page.Destination), Status: string(page.Status),
			StartedAt: page.StartedAt, EndedAt: page.EndedAt, FailureCode: aws.ToString(page.FailureCode),
		}
		b.progress(page.Progress)
		for _, one := range page.Results {
			f := FailedReplication{Repository: aws.ToString(one.RepositoryName), FailureCode: aws.ToString(one.FailureCode)}
			if one.ImageId != nil {
				f.Digest, f.Tag = aws.ToString(one.ImageId.ImageDigest), aws.ToString(one.ImageId.ImageTag)
			}
			failed = append(failed, f)
		}
	}
	return b, failed, nil
}

// WaitBackfill looks at a backfill until it has ended, or limit is over: then it returns what it saw last, and an error
// that wraps [ErrBackfillUnfinished].
func (r *Registry) WaitBackfill(ctx context.Context, id string, limit time.Duration) (last Backfill, failed []FailedReplication, err error) {
	done, err := await(ctx, limit, func(ctx context.Context) (bool, error) {
		b, f, err := r.Backfill(ctx, id)
		if err != nil {
			return false, err
		}
		last, failed = b, f
		return b.Ended(), nil
	})
	if err == nil && !done {
		err = fmt.Errorf("%s %s: %w after %v", backfillObject, id, ErrBackfillUnfinished, limit)
	}
	return last, failed, err
}
