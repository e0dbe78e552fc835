package media

import (
	"context"
	"fmt"
	"slices"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// need returns a need for what wanted names by its digest and kind, preferably one of the repository that wanted names.
func (v *view) need(wanted RequiredBlob) (n RequiredBlob, found bool) {
	i, _ := slices.BinarySearchFunc(v.needs, wanted, compareNeeds)
	for _, at := range []int{i, i - 1} { // the repository is the last that they are sorted by
		if at >= 0 && at < len(v.needs) && v.needs[at].Digest == wanted.Digest && v.needs[at].Manifest == wanted.Manifest {
			return v.needs[at], true
		}
	}
	return n, false
}

// Manifests reads manifests of the set, children of an index too. Those that were left out are read at the destination.
func (v *view) Manifests(ctx context.Context, descriptors []content.Descriptor) ([]content.Manifest, error) {
	manifests := make([]content.Manifest, len(descriptors))
	places := map[string][]int{} // in descriptors, by the repository that has them; "" is the set
	for i, d := range descriptors {
		holder := ""
		if n, leftOut := v.need(RequiredBlob{Name: v.order[0].Name, Digest: d.Digest, Manifest: true}); leftOut {
			holder = n.holder()
		}
		places[holder] = append(places[holder], i)
	}
	for holder, indexes := range places {
		wanted := make([]content.Descriptor, len(indexes))
		for k, i := range indexes {
			wanted[k] = descriptors[i]
		}
		src, err := v.holder(ctx, holder)
		if err != nil {
			return nil, err
		}
		read, err := src.Manifests(ctx, wanted)
		if err != nil {
			return nil, err
		}
		for k, i := range indexes {
			manifests[i] = read[k]
		}
	}
	return manifests, nil
}

// holder opens what has manifests of the set.
func (v *view) holder(ctx context.Context, name string) (content.ManifestReader, error) {
	switch {
	case name == "":
		return v.archive, nil
	case v.far == nil:
		return nil, fmt.Errorf("%s: %w: this set was made without the manifests that repository %s of its destination has", v.name, content.ErrNotFound, name)
	}
	return v.far(ctx, name)
}
