package transfer

import (
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// TestIndexRegistry makes and edits an index in a registry that is not ours.
func TestIndexRegistry(t *testing.T) {
	n := newNeutralRegistry(t)
	images, digests := imageLayout(t, "linux/amd64", "linux/arm64", "oci:linux/s390x")
	r := n.repository("app")
	for _, tag := range []string{"linux-amd64", "linux-arm64"} {
		mustCopy(t, images, r, Options{Reference: tag, Tags: []string{tag}})
	}
	n.count("")

	tags, err := Retag(t.Context(), r, "linux-amd64", []string{"a", "b"})
	check(t, err)
	if statuses(tags) != "a tagged, b tagged" {
		t.Errorf("%+v", tags)
	}
	if requests := n.count(""); requests != 3 {
		t.Errorf("%d requests for two tags", requests)
	}

	x, err := NewIndex(t.Context(), r, references(nil, "a", "linux-arm64"), IndexOptions{Type: IndexOCI})
	check(t, err)
	_, err = x.Put(t.Context(), nil, []string{"1"}, Options{})
	check(t, err)
	// Two manifests, two configs, one index.
	if requests := n.count(""); requests != 5 {
		t.Errorf("%d requests for an index of two images", requests)
	}
	x, err = OpenIndex(t.Context(), r, "1")
	check(t, err)
	check(t, x.Add(t.Context(), references(images, "linux-s390x")))
	check(t, x.Annotate(map[string]string{"a": "b"}, nil))
	_, err = x.Put(t.Context(), nil, []string{"1"}, Options{})
	check(t, err)
	if got := describe(x, digests...); got != "a linux/amd64, b linux/arm64, c linux/s390x" {
		t.Error(got)
	}
	// To another registry it goes with its images.
	other := newNeutralRegistry(t)
	_, err = x.Put(t.Context(), other.repository("mirror/app"), []string{"1"}, Options{})
	check(t, err)
	for _, reference := range []string{n.host + "/app:1", other.host + "/mirror/app:1"} {
		ref, err := name.ParseReference(reference)
		check(t, err)
		index, err := remote.Index(ref)
		check(t, err)
		check(t, validate.Index(index))
	}
}
