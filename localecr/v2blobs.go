package localecr

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/ecrkit/ecrkit/internal/lazyregexp"
	"github.com/ecrkit/ecrkit/localecr/internal/registry"
)

// blobDigest is the digest that a blob's route names.
func (x *exchange) blobDigest(text string) (string, bool) {
	if !registry.ValidDigest(text) {
		x.fail(&v2Error{http.StatusBadRequest, "DIGEST_INVALID", "Invalid digest " + text + ": it must be sha256: and 64 lower-case hexadecimal digits"})
		return "", false
	}
	x.call.Digest = text
	return text, true
}

func (x *exchange) headBlob(rt route) {
	digest, ok := x.blobDigest(rt.reference)
	if !ok {
		return
	}
	out, err := x.registry().BatchCheckLayerAvailability(x.r.Context(), &ecr.BatchCheckLayerAvailabilityInput{RepositoryName: &rt.name, LayerDigests: []string{digest}})
	if err != nil {
		x.fail(err)
		return
	}
	layer := out.Layers[0]
	if layer.LayerAvailability != types.LayerAvailabilityAvailable {
		x.fail(blobUnknown(rt.name, digest))
		return
	}
	h := x.w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Length", strconv.FormatInt(*layer.LayerSize, 10))
	h.Set("Docker-Content-Digest", digest)
	x.w.WriteHeader(http.StatusOK)
}

func blobUnknown(name, digest string) error {
	return &v2Error{http.StatusNotFound, "BLOB_UNKNOWN", fmt.Sprintf("The layer with digest '%s' does not exist in the repository with name '%s'", digest, name)}
}

// getBlob redirects to the bytes, which need no token but the URL.
func (x *exchange) getBlob(rt route) {
	digest, ok := x.blobDigest(rt.reference)
	if !ok {
		return
	}
	err := x.registry().CheckDownload(x.r.Context(), &ecr.GetDownloadUrlForLayerInput{RepositoryName: &rt.name, LayerDigest: &digest})
	var unknown *types.LayersNotFoundException
	if errors.As(err, &unknown) {
		err = blobUnknown(rt.name, digest)
	}
	if err != nil {
		x.fail(err)
		return
	}
	url, err := x.downloadURL(digest)
	if err != nil {
		x.fail(err)
		return
	}
	x.w.Header().Set("Docker-Content-Digest", digest)
	x.w.Header().Set("Location", url)
	x.w.WriteHeader(http.StatusTemporaryRedirect)
}

func (x *exchange) startUpload(rt route) {
	q := x.r.URL.Query()
	if digest := q.Get("mount"); digest != "" && x.mayMount(q.Get("from")) {
		mounted, err := x.registry().MountLayer(x.r.Context(), rt.name, q.Get("from"), digest)
		if err != nil {
			x.fail(err)
			return
		}
		if mounted {
			x.layerCreated(rt, digest)
			return
		}
	}
	out, err := x.registry().InitiateLayerUpload(x.r.Context(), &ecr.InitiateLayerUploadInput{RepositoryName: &rt.name})
	if err != nil {
		x.fail(err)
		return
	}
	x.uploadAccepted(rt, *out.UploadId, 0, http.StatusAccepted)
}

// uploadAccepted answers with where the upload continues and how far it is.
func (x *exchange) uploadAccepted(rt route, id string, received int64, status int) {
	h := x.w.Header()
	h.Set("Docker-Upload-Uuid", id)
	h.Set("Location", x.url("/v2/"+rt.name+"/blobs/uploads/"+id))
	h.Set("Range", fmt.Sprintf("0-%d", max(received-1, 0)))
	x.w.WriteHeader(status)
}

func (x *exchange) layerCreated(rt route, digest string) {
	x.call.Digest = digest
	h := x.w.Header()
	h.Set("Docker-Content-Digest", digest)
	h.Set("Location", x.url("/v2/"+rt.name+"/blobs/"+digest))
	x.w.WriteHeader(http.StatusCreated)
}

func (x *exchange) uploadStatus(rt route) {
	if x.server.quirk(QuirkNoUploadStatus) {
		x.fail(&v2Error{http.StatusNotFound, "BLOB_UPLOAD_UNKNOWN", "The status of an upload is not available"})
		return
	}
	chunk, err := x.registry().UploadStatus(x.r.Context(), rt.name, rt.reference)
	if err != nil {
		x.fail(err)
		return
	}
	x.uploadAccepted(rt, rt.reference, chunk.Received, http.StatusNoContent)
}

// cancelUpload ends an upload, if ECR does: nobody has reported its answer.
func (x *exchange) cancelUpload(rt route) {
	if x.server.quirk(QuirkNoUploadDelete) {
		x.fail(errUnsupported)
		return
	}
	if err := x.registry().CancelUpload(x.r.Context(), rt.name, rt.reference); err != nil {
		x.fail(err)
		return
	}
	x.w.WriteHeader(http.StatusNoContent)
}

// contentRange is the form of the header in an upload: OCI's 0-99, and HTTP's bytes 0-99/*.
var contentRange = lazyregexp.New(`^(?:bytes )?([0-9]{1,18})-([0-9]{1,18})(?:/(?:[0-9]+|\*))?$`)

// receive takes the body of a PATCH or PUT as the next chunk of the upload.
func (x *exchange) receive(rt route) (registry.Chunk, error) {
	first := int64(-1)
	if text := x.r.Header.Get("Content-Range"); text != "" {
		m := contentRange.FindStringSubmatch(text)
		if m == nil {
			return registry.Chunk{}, &v2Error{http.StatusBadRequest, "BLOB_UPLOAD_INVALID", "Invalid Content-Range " + strconv.Quote(text)}
		}
		x.call.Range = m[1] + "-" + m[2]
		first, _ = strconv.ParseInt(m[1], 10, 64) // 18 digits fit
		last, _ := strconv.ParseInt(m[2], 10, 64)
		if x.r.ContentLength >= 0 && last-first+1 != x.r.ContentLength {
			return registry.Chunk{}, &v2Error{http.StatusBadRequest, "SIZE_INVALID", fmt.Sprintf("Content-Range %s is %d bytes, but the body has %d", text, last-first+1, x.r.ContentLength)}
		}
	}
	chunk, err := x.registry().AppendUpload(x.r.Context(), rt.name, rt.reference, first, x.r.Body, x.server.quirk(QuirkCommitOnDisconnect))
	if x.received.broken != nil {
		return chunk, &v2Error{http.StatusBadRequest, "BLOB_UPLOAD_INVALID", "the body broke off: " + x.received.broken.Error()}
	}
	return chunk, err
}

func (x *exchange) patchUpload(rt route) {
	chunk, err := x.receive(rt)
	if err != nil {
		x.fail(err)
		return
	}
	received, status := chunk.Received, http.StatusAccepted
	if x.server.quirk(QuirkStickyRange) {
		received = chunk.FirstChunk
	}
	if x.server.quirk(QuirkPatchCreated) {
		status = http.StatusCreated
	}
	x.uploadAccepted(rt, rt.reference, received, status)
}

func (x *exchange) finishUpload(rt route) {
	digest, ok := x.blobDigest(x.r.URL.Query().Get("digest"))
	if !ok {
		return
	}
	// A body is a part too; the route itself is charged as the completion.
	if x.r.ContentLength != 0 && !x.server.buckets.take(x.principal.Account, x.region, "UploadLayerPart") {
		x.fail(throttled())
		return
	}
	if _, err := x.receive(rt); err != nil {
		x.fail(err)
		return
	}
	_, err := x.registry().CompleteLayerUpload(x.r.Context(), &ecr.CompleteLayerUploadInput{
		RepositoryName: &rt.name, UploadId: aws.String(rt.reference), LayerDigests: []string{digest},
	})
	var exists *types.LayerAlreadyExistsException
	if err != nil && !errors.As(err, &exists) {
		x.fail(err)
		return
	}
	x.layerCreated(rt, digest)
}
