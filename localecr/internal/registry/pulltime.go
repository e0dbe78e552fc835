package registry

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	bolt "go.etcd.io/bbolt"

	"github.com/ecrkit/ecrkit/internal/lazyregexp"
)

// pullTimeAge is how old the recorded time of a pull may get: ECR "refreshes the last image pull
// timestamp at least once every 24 hours" (API reference, ImageDetail). Here it is refreshed at most that often,
// so that nobody comes to rely on more.
const pullTimeAge = 24 * time.Hour

// Limits on exclusions (API reference of RegisterPullTimeUpdateExclusion; user guide, pull-time update
// exclusions).
const (
	maxPullExclusions = 100
	maxPullExclusion  = 200 // characters of an ARN
)

var pullExclusionPattern = lazyregexp.New(`^arn:aws(-[a-z]+)*:iam::[0-9]{12}:(role|user)/[\w+=,.@-]+(/[\w+=,.@-]+)*$`)

// keyPullExclusions is where a registry has its excluded principals: ARN → since when.
var keyPullExclusions = []byte("pullTimeUpdateExclusions")

// RecordPull notes that a principal has pulled images, unless it is excluded. To take a manifest is to
// pull its image; whether the image then is downloaded is not known.
func (r *Registry) RecordPull(_ context.Context, name, principal string, images []types.Image) error {
	now := r.now()
	stale := func(repo *repository) ([]*imageRecord, error) {
		var out []*imageRecord
		for _, image := range images {
			rec, err := repo.image(*image.ImageId.ImageDigest)
			if err != nil {
				return nil, err
			}
			if rec != nil && now.Sub(rec.PulledAt) >= pullTimeAge {
				out = append(out, rec)
			}
		}
		return out, nil
	}
	var records []*imageRecord
	err := r.inRepository(r.store.db.View, &name, func(repo *repository) error {
		excluded, err := r.pullExclusions(repo.bucket.Tx())
		if err != nil || isExcluded(excluded, principal) {
			return err
		}
		records, err = stale(repo)
		return err
	})
	if err != nil || len(records) == 0 {
		return err
	}
	return r.update(&name, func(repo *repository) error {
		if records, err = stale(repo); err != nil {
			return err
		}
		for _, rec := range records {
			rec.PulledAt = now
			if err := repo.saveImage(rec); err != nil {
				return err
			}
		}
		return nil
	})
}

// isExcluded reports whether pulls of a principal are not recorded. A session of a role is its role,
// whose path the session does not tell.
func isExcluded(excluded map[string]time.Time, principal string) bool {
	if _, ok := excluded[principal]; ok {
		return true
	}
	session := strings.Split(principal, ":")
	if len(session) != 6 || !strings.HasPrefix(session[5], "assumed-role/") {
		return false
	}
	role := strings.Split(session[5], "/")[1]
	for arn := range excluded {
		fields := strings.Split(arn, ":")
		if fields[4] == session[4] && strings.HasPrefix(fields[5], "role/") && strings.HasSuffix(fields[5], "/"+role) {
			return true
		}
	}
	return false
}

func (r *Registry) pullExclusions(tx *bolt.Tx) (map[string]time.Time, error) {
	out := map[string]time.Time{}
	b, err := r.bucket(tx)
	if err != nil || b == nil {
		return out, err
	}
	_, err = getJSON(b, keyPullExclusions, &out)
	return out, err
}

// changePullExclusions runs f on the excluded principals and keeps what it makes of them.
func (r *Registry) changePullExclusions(f func(map[string]time.Time) error) error {
	return r.store.db.Update(func(tx *bolt.Tx) error {
		excluded, err := r.pullExclusions(tx)
		if err != nil {
			return err
		}
		if err := f(excluded); err != nil {
			return err
		}
		b, err := r.bucket(tx)
		if err != nil {
			return err
		}
		return putJSON(b, keyPullExclusions, excluded)
	})
}

func checkPrincipal(arn *string) error {
	switch {
	case arn == nil:
		return invalidParameter("principalArn", "must not be null")
	case len(*arn) > maxPullExclusion:
		return invalidParameter("principalArn", "must have a length of at most %d", maxPullExclusion)
	case !pullExclusionPattern.MatchString(*arn):
		return invalidParameter("principalArn", "must satisfy regular expression '%s'", pullExclusionPattern)
	}
	return nil
}

// RegisterPullTimeUpdateExclusion excludes a role or user: its pulls are not recorded from now on.
// Errors: InvalidParameter, ExclusionAlreadyExists, LimitExceeded.
func (r *Registry) RegisterPullTimeUpdateExclusion(_ context.Context, in *ecr.RegisterPullTimeUpdateExclusionInput) (*ecr.RegisterPullTimeUpdateExclusionOutput, error) {
	if err := checkPrincipal(in.PrincipalArn); err != nil {
		return nil, err
	}
	now := r.now()
	err := r.changePullExclusions(func(excluded map[string]time.Time) error {
		if _, ok := excluded[*in.PrincipalArn]; ok {
			return &types.ExclusionAlreadyExistsException{Message: aws.String(fmt.Sprintf(
				"The pull time update exclusion for '%s' already exists in the registry with id '%s'", *in.PrincipalArn, r.account))}
		}
		if len(excluded) >= maxPullExclusions {
			return limitExceeded("The registry with id '%s' already has the maximum allowed number of pull time update exclusions, %d", r.account, maxPullExclusions)
		}
		excluded[*in.PrincipalArn] = now
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ecr.RegisterPullTimeUpdateExclusionOutput{CreatedAt: &now, PrincipalArn: in.PrincipalArn}, nil
}

// DeregisterPullTimeUpdateExclusion ends the exclusion of a principal. Errors: InvalidParameter,
// ExclusionNotFound.
func (r *Registry) DeregisterPullTimeUpdateExclusion(_ context.Context, in *ecr.DeregisterPullTimeUpdateExclusionInput) (*ecr.DeregisterPullTimeUpdateExclusionOutput, error) {
	if err := checkPrincipal(in.PrincipalArn); err != nil {
		return nil, err
	}
	err := r.changePullExclusions(func(excluded map[string]time.Time) error {
		if _, ok := excluded[*in.PrincipalArn]; !ok {
			return &types.ExclusionNotFoundException{Message: aws.String(fmt.Sprintf(
				"The pull time update exclusion for '%s' does not exist in the registry with id '%s'", *in.PrincipalArn, r.account))}
		}
		delete(excluded, *in.PrincipalArn)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ecr.DeregisterPullTimeUpdateExclusionOutput{PrincipalArn: in.PrincipalArn}, nil
}

// ListPullTimeUpdateExclusions lists the excluded principals by ARN. Errors: InvalidParameter.
func (r *Registry) ListPullTimeUpdateExclusions(_ context.Context, in *ecr.ListPullTimeUpdateExclusionsInput) (*ecr.ListPullTimeUpdateExclusionsOutput, error) {
	p, err := newPage("ListPullTimeUpdateExclusions", in.NextToken, in.MaxResults, 100, 1000)
	if err != nil {
		return nil, err
	}
	out := &ecr.ListPullTimeUpdateExclusionsOutput{PullTimeUpdateExclusions: []string{}}
	err = r.store.db.View(func(tx *bolt.Tx) error {
		excluded, err := r.pullExclusions(tx)
		if err != nil {
			return err
		}
		for _, arn := range slices.Sorted(maps.Keys(excluded)) {
			switch {
			case arn <= p.after:
			case len(out.PullTimeUpdateExclusions) == p.size:
				out.NextToken = p.next(out.PullTimeUpdateExclusions[p.size-1])
				return nil
			default:
				out.PullTimeUpdateExclusions = append(out.PullTimeUpdateExclusions, arn)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
