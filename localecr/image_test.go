package localecr_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	ggcrrandom "github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/static"
	ggcrtypes "github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/ecrkit/ecrkit/localecr"
)

func randomImage(t *testing.T) v1.Image {
	t.Helper()
	image, err := ggcrrandom.Image(100, 2)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// TestPutImage puts images in and looks for them, byte for byte, by the API and over /v2/.
func TestPutImage(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{Quotas: localecr.Quotas{"PutImage": {Rate: 0.001, Burst: 1}}, Faults: []localecr.Fault{{Op: "PutImage", Count: -1, Status: 500}}})
	r.calls.Reset()
	image := randomImage(t)
	for _, tag := range []string{"1.0", "1.0", "latest", ""} {
		if err := r.srv.PutImage(t.Context(), "team/app", tag, image); err != nil {
			t.Fatalf("tag %q: %v", tag, err)
		}
	}
	if calls := r.calls.Calls(); len(calls) != 0 {
		t.Errorf("the audit log has %+v", calls)
	}
	want, err := image.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	if got := r.v2("GET", "/v2/team/app/manifests/1.0", nil); !bytes.Equal(got.body, want) {
		t.Errorf("%d %s", got.status, got.body)
	}
	out, err := r.api.DescribeImages(t.Context(), &ecr.DescribeImagesInput{RepositoryName: ptr("team/app")})
	if err != nil || len(out.ImageDetails) != 1 || !slices.Equal(out.ImageDetails[0].ImageTags, []string{"1.0", "latest"}) {
		t.Errorf("%+v %v", out, err)
	}
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	config, err := partial.ConfigLayer(image)
	if err != nil {
		t.Fatal(err)
	}
	for _, layer := range append(layers, config) {
		digest, err := layer.Digest()
		if err != nil {
			t.Fatal(err)
		}
		redirect := r.v2("GET", "/v2/team/app/blobs/"+digest.String(), nil)
		if got := r.v2("GET", redirect.header.Get("Location"), nil, "Authorization", ""); digestOf(got.body) != digest.String() {
			t.Errorf("%s: %d, %d bytes", digest, got.status, len(got.body))
		}
	}
}

// TestPutIndex puts in an index that holds an index, and a referrer of it.
func TestPutIndex(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	inner := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: randomImage(t)})
	index := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: randomImage(t)}, mutate.IndexAddendum{Add: inner})
	if err := r.srv.PutIndex(t.Context(), "app", "1.0", index); err != nil {
		t.Fatal(err)
	}
	want, err := index.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	if got := r.v2("GET", "/v2/app/manifests/1.0", nil); !bytes.Equal(got.body, want) {
		t.Errorf("%d %s", got.status, got.body)
	}
	subject, err := partial.Descriptor(index)
	if err != nil {
		t.Fatal(err)
	}
	referrer, ok := mutate.Subject(randomImage(t), *subject).(v1.Image)
	if !ok {
		t.Fatal("no image")
	}
	if err := r.srv.PutImage(t.Context(), "app", "", referrer); err != nil {
		t.Fatal(err)
	}
	out, err := r.api.ListImageReferrers(t.Context(), referrersOf(want, nil))
	if err != nil || len(out.Referrers) != 1 {
		t.Errorf("%+v %v", out, err)
	}
	images, err := r.api.DescribeImages(t.Context(), &ecr.DescribeImagesInput{RepositoryName: ptr("app")})
	if err != nil || len(images.ImageDetails) != 5 {
		t.Errorf("%+v %v", images, err)
	}
}

// TestPutImageKeepsTheRules breaks some of ECR's rules.
func TestPutImageKeepsTheRules(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	r.repository("app")
	r.setMutability("app", types.ImageTagMutabilityImmutable)
	image := randomImage(t)
	for range 2 {
		if err := r.srv.PutImage(t.Context(), "app", "1.0", image); err != nil {
			t.Fatal(err)
		}
	}
	wantError(t, r.srv.PutImage(t.Context(), "app", "1.0", randomImage(t)), "ImageTagAlreadyExistsException", "1.0")
	wantError(t, r.srv.PutImage(t.Context(), "App", "1.0", image), "InvalidParameterException", "repositoryName")
	wantError(t, r.srv.PutImage(t.Context(), "app", "1:0", image), "InvalidParameterException", "imageTag")

	// A layer that is not distributed stays away, as docker leaves it.
	foreign, err := mutate.Append(image, mutate.Addendum{
		Layer: brokenLayer{static.NewLayer([]byte("not ours"), ggcrtypes.DockerForeignLayer)}, URLs: []string{"https://layers.example/1"}, MediaType: ggcrtypes.DockerForeignLayer,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.srv.PutImage(t.Context(), "app", "foreign", foreign); err != nil {
		t.Error(err)
	}

	// A layer whose bytes cannot be read.
	broken, err := mutate.AppendLayers(image, brokenLayer{static.NewLayer([]byte("lost"), ggcrtypes.OCILayer)})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.srv.PutImage(t.Context(), "app", "broken", broken); !errors.Is(err, errBroken) {
		t.Errorf("%v", err)
	}
}

var errBroken = errors.New("broken")

// A brokenLayer has a digest, and no bytes.
type brokenLayer struct{ v1.Layer }

func (brokenLayer) Compressed() (io.ReadCloser, error) { return nil, errBroken }
