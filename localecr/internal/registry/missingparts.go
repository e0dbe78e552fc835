package registry

import (
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

// checkParts refuses an image of which a layer or a child is missing, or in the archive, and returns
// the size of the largest child. Errors: LayersNotFound, ReferencedImagesNotFound.
func (repo *repository) checkParts(layers, children []string) (largest int64, err error) {
	r, now := repo.registry, repo.registry.now()
	active := repo.activeAt(now)
	var missing []string
	for _, layer := range layers {
		have, _, err := repo.availability(layer, active)
		if err != nil {
			return 0, err
		}
		if have != types.LayerAvailabilityAvailable {
			missing = append(missing, layer)
		}
	}
	if len(missing) > 0 {
		return 0, r.layersNotFound(repo.record.Name, missing)
	}
	for _, child := range children {
		rec, err := repo.image(child)
		if err != nil {
			return 0, err
		}
		if rec == nil || !rec.active(now) {
			missing = append(missing, child)
			continue
		}
		largest = max(largest, rec.Size)
	}
	if len(missing) > 0 {
		return 0, &types.ReferencedImagesNotFoundException{Message: aws.String(fmt.Sprintf(
			"Images with digests '[%s]' required for pushing image into repository with name '%s' in the registry with id '%s' do not exist",
			strings.Join(missing, ", "), repo.record.Name, r.account))}
	}
	return largest, nil
}
