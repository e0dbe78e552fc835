package index

import (
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
)

// TestIndexRegistry makes and edits an index in a registry that is not ours.
func TestIndexRegistry(t *testing.T) {
	n := newNeutralRegistry(t)
	images, digests := imageLayout(t, "linux/amd64", "linux/arm64", "oci:linux/s390x")
	r := n.repository("app")
	for _, tag := range []string{"linux-amd64", "linux-arm64"} {
		mustCopy(t, images, r, transfer.Options{Reference: tag, Tags: []string{tag}})
	}
	n.Count("")

	tags, err := transfer.Retag(t.Context(), r, "linux-amd64", []string{"a", "b"})
	fixture.Check(t, err)
	if statuses(tags) != "a tagged, b tagged" {
		t.Errorf("%+v", tags)
	}
	if requests := n.Count(""); requests != 3 {
		t.Errorf("%d requests for two tags", requests)
	}

	x, err := New(t.Context(), r, references(nil, "a", "linux-arm64"), Options{Type: OCI})
	fixture.Check(t, err)
	_, err = x.Put(t.Context(), nil, []string{"1"}, transfer.Options{})
	fixture.Check(t, err)
	// Two manifests, two configs, one index.
	if requests := n.Count(""); requests != 5 {
		t.Errorf("%d requests for an index of two images", requests)
	}
	x, err = Open(t.Context(), r, "1")
	fixture.Check(t, err)
	fixture.Check(t, x.Add(t.Context(), references(images, "linux-s390x")))
	fixture.Check(t, x.Annotate(map[string]string{"a": "b"}, nil))
	_, err = x.Put(t.Context(), nil, []string{"1"}, transfer.Options{})
	fixture.Check(t, err)
	if got := describe(x, digests...); got != "a linux/amd64, b linux/arm64, c linux/s390x" {
		t.Error(got)
	}
	// To another registry it goes with its images.
	other := newNeutralRegistry(t)
	_, err = x.Put(t.Context(), other.repository("mirror/app"), []string{"1"}, transfer.Options{})
	fixture.Check(t, err)
	for _, reference := range []string{n.Host + "/app:1", other.Host + "/mirror/app:1"} {
		ref, err := name.ParseReference(reference)
		fixture.Check(t, err)
		index, err := remote.Index(ref)
		fixture.Check(t, err)
		fixture.Check(t, validate.Index(index))
	}
}

func statuses(r transfer.RetagResult) string {
	var s []string
	for _, t := range r.Tags {
		s = append(s, t.Tag+" "+string(t.Status))
	}
	return strings.Join(s, ", ")
}
