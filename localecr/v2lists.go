package localecr

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	"github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/localecr/internal/registry"
)

// maxList is how many entries ECR returns at once.
const maxList = 1000

// listWindow reads n and last of a list request.
func (x *exchange) listWindow() (n int, last string, err error) {
	q := x.r.URL.Query()
	n = maxList
	if text := q.Get("n"); text != "" {
		n, err = strconv.Atoi(text)
		if err != nil || n < 0 {
			return 0, "", &v2Error{http.StatusBadRequest, "PAGINATION_NUMBER_INVALID", "n must be a number, not " + strconv.Quote(text)}
		}
		if n > maxList && x.server.quirk(QuirkListLimit) {
			return 0, "", &v2Error{http.StatusMethodNotAllowed, "UNSUPPORTED", "Invalid parameter at 'maxResults' failed to satisfy constraint: 'must be less than or equal to 1000'"}
		}
	}
	return min(n, maxList), q.Get("last"), nil
}

// answerList answers with the window of a sorted list and a link to what is behind it.
func (x *exchange) answerList(sorted []string, body func(window []string) any) {
	n, last, err := x.listWindow()
	if err != nil {
		x.fail(err)
		return
	}
	if last != "" {
		sorted = sorted[sort.Search(len(sorted), func(i int) bool { return sorted[i] > last }):]
	}
	if n < len(sorted) {
		sorted = sorted[:n]
		if n > 0 {
			q := url.Values{"n": {strconv.Itoa(n)}, "last": {sorted[n-1]}}
			x.w.Header().Set("Link", "<"+x.r.URL.Path+"?"+q.Encode()+`>; rel="next"`)
		}
	}
	x.writeV2(body(sorted), "application/json")
}

func (x *exchange) writeV2(v any, mediaType string) {
	body, err := json.Marshal(v)
	if err != nil {
		x.fail(err)
		return
	}
	x.w.Header().Set("Content-Type", mediaType)
	x.w.WriteHeader(http.StatusOK)
	_, _ = x.w.Write(body) // fails only when the client has gone
}

func (x *exchange) tags(rt route) {
	tags, err := x.registry().Tags(x.r.Context(), rt.name)
	if err != nil {
		x.fail(err)
		return
	}
	x.answerList(tags, func(window []string) any {
		return struct {
			Name string   `json:"name"`
			Tags []string `json:"tags"`
		}{rt.name, window}
	})
}

func (x *exchange) catalog(route) {
	names := []string{}
	in := &ecr.DescribeRepositoriesInput{MaxResults: aws.Int32(maxList)}
	for {
		out, err := x.registry().DescribeRepositories(x.r.Context(), in)
		if err != nil {
			x.fail(err)
			return
		}
		for _, r := range out.Repositories {
			names = append(names, *r.RepositoryName)
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			break
		}
	}
	slices.Sort(names)
	x.answerList(names, func(window []string) any {
		return struct {
			Repositories []string `json:"repositories"`
		}{window}
	})
}

func (x *exchange) referrers(rt route) {
	if !registry.ValidDigest(rt.reference) {
		_, err := imageID(":" + rt.reference)
		x.fail(err)
		return
	}
	in := &ecr.ListImageReferrersInput{RepositoryName: &rt.name, SubjectId: &types.SubjectIdentifier{ImageDigest: &rt.reference}, MaxResults: aws.Int32(50)}
	if want := x.r.URL.Query().Get("artifactType"); want != "" {
		in.Filter = &types.ListImageReferrersFilter{ArtifactTypes: []string{want}}
		x.w.Header().Set("OCI-Filters-Applied", "artifactType")
	}
	index := v1.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageIndex, Manifests: []v1.Descriptor{}}
	for {
		out, err := x.registry().ListImageReferrers(x.r.Context(), in)
		if err != nil {
			x.fail(err)
			return
		}
		for _, r := range out.Referrers {
			index.Manifests = append(index.Manifests, v1.Descriptor{
				MediaType: *r.MediaType, Digest: digest.Digest(*r.Digest), Size: *r.Size, Annotations: r.Annotations, ArtifactType: *r.ArtifactType,
			})
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			break
		}
	}
	x.writeV2(index, v1.MediaTypeImageIndex)
}
