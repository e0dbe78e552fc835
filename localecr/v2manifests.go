package localecr

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/ecrkit/ecrkit/localecr/internal/registry"
)

// imageID is the image that a reference, a tag or a digest, names.
func imageID(reference string) (types.ImageIdentifier, error) {
	switch {
	case registry.ValidDigest(reference):
		return types.ImageIdentifier{ImageDigest: aws.String(reference)}, nil
	case strings.Contains(reference, ":"):
		return types.ImageIdentifier{}, &v2Error{http.StatusBadRequest, "DIGEST_INVALID", "Invalid digest " + reference + ": it must be sha256: and 64 lower-case hexadecimal digits"}
	case registry.ValidTag(reference):
		return types.ImageIdentifier{ImageTag: aws.String(reference)}, nil
	default:
		return types.ImageIdentifier{}, &v2Error{http.StatusBadRequest, "TAG_INVALID", "Invalid tag " + reference}
	}
}

// acceptedMediaTypes are those of the Accept headers, nil if any will do.
func acceptedMediaTypes(r *http.Request) []string {
	var out []string
	for _, line := range r.Header.Values("Accept") {
		for _, entry := range strings.Split(line, ",") {
			mediaType, _, err := mime.ParseMediaType(entry)
			switch {
			case err != nil:
			case mediaType == "*/*" || mediaType == "application/*":
				return nil
			default:
				out = append(out, mediaType)
			}
		}
	}
	return out
}

func (x *exchange) getManifest(rt route) {
	id, err := imageID(rt.reference)
	if err != nil {
		x.fail(err)
		return
	}
	failure, err := x.pullThrough(x.r.Context(), rt.name, id)
	if failure != nil {
		err = upstreamFailure(failure)
	}
	if err != nil {
		x.fail(err)
		return
	}
	out, err := x.registry().BatchGetImage(x.r.Context(), &ecr.BatchGetImageInput{
		RepositoryName: &rt.name, ImageIds: []types.ImageIdentifier{id}, AcceptedMediaTypes: acceptedMediaTypes(x.r),
	})
	if err != nil {
		x.fail(err)
		return
	}
	if len(out.Images) == 0 {
		x.fail(&v2Error{http.StatusNotFound, "MANIFEST_UNKNOWN", aws.ToString(out.Failures[0].FailureReason) + ": " + rt.name + " has no " + rt.reference})
		return
	}
	if x.r.Method != http.MethodHead { // to look is not to pull
		if err := x.registry().RecordPull(x.r.Context(), rt.name, x.principal.ARN, out.Images); err != nil {
			x.fail(err)
			return
		}
	}
	image := out.Images[0]
	x.call.Digest = *image.ImageId.ImageDigest
	h := x.w.Header()
	h.Set("Content-Type", *image.ImageManifestMediaType)
	h.Set("Content-Length", strconv.Itoa(len(*image.ImageManifest)))
	if x.r.Method == http.MethodHead || id.ImageTag == nil || !x.server.quirk(QuirkNoDigestOnTagGet) {
		h.Set("Docker-Content-Digest", x.call.Digest)
	}
	x.w.WriteHeader(http.StatusOK)
	if x.r.Method != http.MethodHead {
		_, _ = io.WriteString(x.w, *image.ImageManifest) // fails only when the client has gone
	}
}

func (x *exchange) putManifest(rt route) {
	id, err := imageID(rt.reference)
	if err != nil {
		x.fail(err)
		return
	}
	// One byte more than a manifest may have, so that the registry says what is wrong.
	body, err := io.ReadAll(io.LimitReader(x.r.Body, int64(x.server.limits.MaxManifest)+1))
	if err != nil {
		x.fail(&v2Error{http.StatusBadRequest, "MANIFEST_INVALID", "the manifest could not be read: " + err.Error()})
		return
	}
	in := &ecr.PutImageInput{RepositoryName: &rt.name, ImageManifest: aws.String(string(body)), ImageDigest: id.ImageDigest, ImageTag: id.ImageTag}
	if mediaType, _, err := mime.ParseMediaType(x.r.Header.Get("Content-Type")); err == nil && mediaType != "application/octet-stream" {
		in.ImageManifestMediaType = aws.String(mediaType)
	}
	digest, err := x.storeImage(in)
	if err != nil {
		x.fail(err)
		return
	}
	x.call.Digest = digest
	h := x.w.Header()
	h.Set("Docker-Content-Digest", digest)
	if !x.server.quirk(QuirkNoLocationOnManifestPut) {
		h.Set("Location", x.url("/v2/"+rt.name+"/manifests/"+digest))
	}
	if subject := registry.Subject(body); subject != "" {
		h.Set("OCI-Subject", subject)
	}
	x.w.WriteHeader(http.StatusCreated)
}

// storeImage is PutImage for a client that does not mind that the image is there already, unless
// its tag is immutable.
func (x *exchange) storeImage(in *ecr.PutImageInput) (digest string, err error) {
	out, err := x.registry().PutImage(x.r.Context(), in)
	if err == nil {
		return *out.Image.ImageId.ImageDigest, nil
	}
	var exists *types.ImageAlreadyExistsException
	if !errors.As(err, &exists) {
		return "", err
	}
	if in.ImageTag != nil && x.server.quirk(QuirkImmutableRepush) {
		if err := x.registry().CheckTagMutable(x.r.Context(), *in.RepositoryName, *in.ImageTag); err != nil {
			return "", err
		}
	}
	return registry.Digest([]byte(*in.ImageManifest)), nil
}

func (x *exchange) deleteManifest(rt route) {
	id, err := imageID(rt.reference)
	if err != nil {
		x.fail(err)
		return
	}
	out, err := x.registry().BatchDeleteImage(x.r.Context(), &ecr.BatchDeleteImageInput{RepositoryName: &rt.name, ImageIds: []types.ImageIdentifier{id}})
	if err != nil {
		x.fail(err)
		return
	}
	if len(out.Failures) > 0 {
		f := out.Failures[0]
		status, code := http.StatusNotFound, "MANIFEST_UNKNOWN"
		if f.FailureCode == types.ImageFailureCodeImageReferencedByManifestList {
			status, code = http.StatusForbidden, "DENIED"
		}
		x.fail(&v2Error{status, code, aws.ToString(f.FailureReason)})
		return
	}
	x.call.Digest = *out.ImageIds[0].ImageDigest
	x.w.WriteHeader(http.StatusAccepted)
}

// url is an absolute URL of the registry as the client has called it.
func (x *exchange) url(path string) string { return schemeOf(x.r) + "://" + x.r.Host + path }

// quirk reports whether the quirk is on.
func (s *Server) quirk(q Quirk) bool { return !slices.Contains(s.quirksOff, q) }
