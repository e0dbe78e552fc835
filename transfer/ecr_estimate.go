package transfer

import "github.com/ecrkit/ecrkit/transfer/internal/ranges"

// EstimateWrites counts the requests of a push.
func (e *ECR) EstimateWrites(missing []Descriptor, manifests int) map[string]int {
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
		size := max(partSize(defaultPartSize, d.Size), 1)
		calls["InitiateLayerUpload"]++
		calls["UploadLayerPart"] += int((d.Size + size - 1) / size)
		calls["CompleteLayerUpload"]++
	}
	return calls
}

// EstimateReads counts the requests of a pull.
func (e *ECR) EstimateReads(missing []Descriptor, connections int) map[string]int {
	calls := map[string]int{}
	for _, d := range missing {
		calls["GetDownloadUrlForLayer"]++
		calls["GET /layers/{digest}"] += ranges.Count(d.Size, connections)
	}
	return calls
}

// usesV2 tells whether a blob goes to the registry's /v2/.
func (e *ECR) usesV2(d Descriptor) bool {
	return e.V2 != nil && (e.Upload == UploadV2 || e.Upload != UploadNative && d.Size <= defaultPartSize)
}
