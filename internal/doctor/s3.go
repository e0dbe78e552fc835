package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecr"

	"github.com/ecrkit/ecrkit/internal/calls"
)

// layers downloads one byte of a blob of the image from where Amazon ECR keeps them:
// Amazon S3. Without an image it makes a request to the bucket of the region.
type layers struct{}

// Run implements [Check].
func (layers) Run(ctx context.Context, s *Session) Finding {
	var known *imageFacts
	s.know(func(f *facts) { known = f.image })
	if !s.Subject.isECR() {
		return skipped("not a private registry of Amazon ECR")
	}
	if known == nil {
		return s.reachBucket(ctx)
	}
	api, err := s.ecr(ctx)
	if err != nil {
		return s.fail("GetDownloadUrlForLayer", err)
	}
	out, err := api.GetDownloadUrlForLayer(ctx, &ecr.GetDownloadUrlForLayerInput{RegistryId: s.account(), RepositoryName: s.repository(), LayerDigest: &known.blob})
	if err != nil {
		f := s.fail("GetDownloadUrlForLayer", err)
		switch {
		case isDenied(err):
			return skipped("ecr:GetDownloadUrlForLayer is not permitted")
		case strings.Contains(apiCode(err), "Kms"), strings.Contains(err.Error(), "kms"):
			f.Advice = append(f.Advice, "The repository is encrypted with a KMS key: see that the key is enabled, and that its grants for Amazon ECR were not revoked.")
		}
		return f
	}
	return s.readByte(ctx, *out.DownloadUrl)
}

// blocked is what to do where the layers can't be downloaded although manifests can.
func blocked(host string) []string {
	return []string{
		fmt.Sprintf("Allow HTTPS to %s in firewall, security groups and proxy: layers come from Amazon S3, manifests do not.", host),
		"In a VPC, see that the route table has the S3 gateway endpoint, and that its policy allows s3:GetObject on arn:aws:s3:::prod-REGION-starport-layer-bucket/*.",
	}
}

// readByte reads the first byte of a pre-signed URL, which no message shows.
func (s *Session) readByte(ctx context.Context, presigned string) Finding {
	host := hostOf(presigned)
	client := s.client(ctx)
	send := calls.Caller{Limits: &calls.Limits{}, Log: &calls.Log{}, Policy: retries()}.NewCall("GET layer")
	response, err := send.Send(ctx, func(ctx context.Context) (*http.Response, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, presigned, nil)
		if err != nil {
			return nil, errors.New("the URL of the layer is not valid")
		}
		request.Header.Set("Range", "bytes=0-0")
		return client.Do(request)
	})
	if err != nil {
		if isCertificate(err) {
			return badCertificate(host, err)
		}
		return failed(fmt.Sprintf("manifests can be read, and layers can't: %s: %s", host, reasonOf(err)), blocked(host)...)
	}
	defer response.Body.Close()
	code := calls.ErrorCode(response)
	var first [1]byte
	switch {
	case response.StatusCode == http.StatusTooManyRequests, response.StatusCode == http.StatusServiceUnavailable && code == "SlowDown":
		s.throttled("GET layer")
		return warning(fmt.Sprintf("%s answers %d", host, response.StatusCode))
	case response.StatusCode >= http.StatusBadRequest:
		return failed(strings.TrimSpace(fmt.Sprintf("manifests can be read, and layers can't: %s answers %d %s", host, response.StatusCode, code)), blocked(host)...)
	}
	if _, err := response.Body.Read(first[:]); err != nil && err.Error() != "EOF" {
		return failed(fmt.Sprintf("manifests can be read, and layers can't: %s: %s", host, reasonOf(err)), blocked(host)...)
	}
	return ok("can be downloaded from " + host)
}

// layerTargets returns the host of Amazon S3 that has the layers of the region's images:
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html.
// A registry that is mapped to a host may have them elsewhere.
func (s *Session) layerTargets() []target {
	r := s.Subject.Registry
	suffix := map[string]string{"aws": "amazonaws.com", "aws-us-gov": "amazonaws.com", "aws-cn": "amazonaws.com.cn"}[r.Partition]
	if !s.Subject.isECR() || suffix == "" || r.Host != r.CanonicalHost() {
		return nil
	}
	bucket := fmt.Sprintf("prod-%s-starport-layer-bucket.s3.%s.%s", r.Region, r.Region, suffix)
	return []target{{"the layer bucket", (&url.URL{Scheme: "https", Host: bucket, Path: "/"}).String()}}
}

// reachBucket makes a request to the layer bucket. Any answer will do: nobody may list it.
func (s *Session) reachBucket(ctx context.Context) Finding {
	targets := s.layerTargets()
	if len(targets) == 0 {
		return skipped("no image was found whose layers could be tried")
	}
	r := s.reach(ctx, s.client(ctx), targets[0])
	host := hostOf(r.url)
	switch {
	case isCertificate(r.err):
		return badCertificate(host, r.err)
	case r.err != nil:
		return failed(fmt.Sprintf("Amazon S3, where layers are, can't be reached: %s: %s", host, reasonOf(r.err)), blocked(host)...)
	}
	return ok(host + " answers")
}
