package ecr

import "github.com/ecrkit/ecrkit/transfer/content"

// Limits of layer uploads:
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_UploadLayerPart.html
// and https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html.
const (
	minPartSize = 5 << 20
	maxPartSize = 20 << 20
	maxParts    = 4200
)

// partSize is how many bytes go into one part of a layer of size bytes: what
// InitiateLayerUpload proposed, raised if the layer had too many parts with it,
// and never more than the layer has.
func partSize(proposed, size int64) int64 {
	if proposed < minPartSize || proposed > maxPartSize {
		proposed = content.DefaultPartSize
	}
	proposed = max(proposed, min((size+maxParts-1)/maxParts, maxPartSize))
	return min(proposed, size)
}
