package ecr

import (
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/ranges"
)

// EstimateWrites returns the most requests that a push takes, by operation: a large layer
// counts with all its parts, although UploadAuto may send it with one PUT.
func (e *Repository) EstimateWrites(missing []content.Descriptor, manifests int) map[string]int {
	calls := map[string]int{"PutImage": manifests}
	if e.createsRepository() {
		calls["CreateRepository"] = 1
	}
	for _, d := range missing {
		if e.usesV2(d) {
			calls["POST /v2/{name}/blobs/uploads/"]++
			calls["PUT /v2/{name}/blobs/uploads/{uuid}"]++
			continue
		}
		size := max(partSize(content.DefaultPartSize, d.Size), 1)
		calls["InitiateLayerUpload"]++
		calls["UploadLayerPart"] += int((d.Size + size - 1) / size)
		calls["CompleteLayerUpload"]++
	}
	return calls
}

// ExpectWrites has the limits of the registry, which repositories share, prepared for so many requests.
func (e *Repository) ExpectWrites(calls map[string]int) { e.caller().Limits.Expect(calls) }

// EstimateReads counts the requests of a pull.
func (e *Repository) EstimateReads(missing []content.Descriptor, connections int) map[string]int {
	calls := map[string]int{}
	for _, d := range missing {
		calls["GetDownloadUrlForLayer"]++
		calls["GET /layers/{digest}"] += ranges.Count(d.Size, connections)
	}
	return calls
}

// usesV2 reports whether a blob goes to the registry's /v2/.
func (e *Repository) usesV2(d content.Descriptor) bool {
	return e.V2 != nil && (e.Upload == UploadV2 || e.Upload != UploadNative && d.Size <= content.DefaultPartSize)
}
