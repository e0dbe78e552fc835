package registry

import (
	"bytes"
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

// ListImageReferrers lists the images whose manifest names the subject, by digest; the subject need
// not exist. Errors: RepositoryNotFound, InvalidParameter.
func (r *Registry) ListImageReferrers(_ context.Context, in *ecr.ListImageReferrersInput) (*ecr.ListImageReferrersOutput, error) {
	if in.SubjectId == nil || in.SubjectId.ImageDigest == nil {
		return nil, invalidParameter("subjectId.imageDigest", "must not be null")
	}
	if err := checkDigest("subjectId.imageDigest", *in.SubjectId.ImageDigest); err != nil {
		return nil, err
	}
	filter := in.Filter
	if filter == nil {
		filter = &types.ListImageReferrersFilter{}
	}
	if s := filter.ArtifactStatus; s != "" && !slices.Contains(s.Values(), s) {
		return nil, invalidParameter("filter.artifactStatus", "must be one of %v", s.Values())
	}
	p, err := newPage("ListImageReferrers", in.NextToken, in.MaxResults, 20, 50)
	if err != nil {
		return nil, err
	}
	out := &ecr.ListImageReferrersOutput{Referrers: []types.ImageReferrer{}}
	status := filter.ArtifactStatus
	if status == "" {
		status = types.ArtifactStatusFilterActive
	}
	err = r.view(in.RepositoryName, func(repo *repository) error {
		prefix := pairKey(*in.SubjectId.ImageDigest, "")
		c := repo.referrers().Cursor()
		for k, _ := seekAfter(c, string(prefix)+p.after); bytes.HasPrefix(k, prefix); k, _ = c.Next() {
			rec, err := repo.image(string(k[len(prefix):]))
			if err != nil {
				return err
			}
			if rec == nil || len(filter.ArtifactTypes) > 0 && !slices.Contains(filter.ArtifactTypes, rec.ArtifactType) {
				continue
			}
			is := rec.status(r.now())
			if status != types.ArtifactStatusFilterAny && string(status) != string(is) {
				continue
			}
			if len(out.Referrers) == p.size {
				out.NextToken = p.next(*out.Referrers[p.size-1].Digest)
				return nil
			}
			out.Referrers = append(out.Referrers, types.ImageReferrer{
				Digest:         aws.String(rec.Digest),
				MediaType:      aws.String(rec.MediaType),
				Size:           aws.Int64(rec.ManifestSize),
				Annotations:    rec.Annotations,
				ArtifactStatus: types.ArtifactStatus(is),
				ArtifactType:   aws.String(rec.ArtifactType),
			})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
