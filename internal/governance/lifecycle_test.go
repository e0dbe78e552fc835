package governance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/internal/test/fastclock"
	"github.com/ecrkit/ecrkit/lifecycle"
	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// governed is a registry of a local ECR with a settable clock, and images.
type governed struct {
	*Registry
	t      *testing.T
	server *localecr.Server
	calls  *localecr.Recorder
	empty  map[string]ocispec.Descriptor // of bare, by repository
}

func newGoverned(t *testing.T, o localecr.Options) *governed {
	t.Helper()
	g := &governed{t: t, calls: &localecr.Recorder{}, empty: map[string]ocispec.Descriptor{}}
	o.Audit = g.calls
	r, server := openServer(t, o, "000000000000")
	g.server = server
	cfg := r.cfg
	// A client that finds that its clock is another one tries again with that of the server.
	cfg.RetryMaxAttempts = 0
	cfg.Retryer = func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) {
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
		})
	}
	g.Registry = New(cfg, r.Registry)
	return g
}

func (g *governed) check(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
}

func (g *governed) repository(name string) {
	g.t.Helper()
	_, err := g.api.CreateRepository(g.t.Context(), &ecr.CreateRepositoryInput{RepositoryName: &name})
	g.check(err)
}

// blob stores a layer or a config.
func (g *governed) blob(repository string, data []byte) ocispec.Descriptor {
	g.t.Helper()
	ctx := g.t.Context()
	start, err := g.api.InitiateLayerUpload(ctx, &ecr.InitiateLayerUploadInput{RepositoryName: &repository})
	g.check(err)
	_, err = g.api.UploadLayerPart(ctx, &ecr.UploadLayerPartInput{
		RepositoryName: &repository, UploadId: start.UploadId, LayerPartBlob: data, PartFirstByte: aws.Int64(0), PartLastByte: aws.Int64(int64(len(data)) - 1),
	})
	g.check(err)
	id := digest.FromBytes(data)
	_, err = g.api.CompleteLayerUpload(ctx, &ecr.CompleteLayerUploadInput{RepositoryName: &repository, UploadId: start.UploadId, LayerDigests: []string{string(id)}})
	var there *types.LayerAlreadyExistsException
	if !errors.As(err, &there) {
		g.check(err)
	}
	return ocispec.Descriptor{MediaType: ocispec.MediaTypeImageLayer, Digest: id, Size: int64(len(data))}
}

// put stores a manifest with tags.
func (g *governed) put(repository string, manifest any, mediaType string, tags ...string) ocispec.Descriptor {
	g.t.Helper()
	text, err := json.Marshal(manifest)
	g.check(err)
	if len(tags) == 0 {
		tags = []string{""}
	}
	for _, tag := range tags {
		in := &ecr.PutImageInput{RepositoryName: &repository, ImageManifest: aws.String(string(text)), ImageManifestMediaType: &mediaType}
		if tag != "" {
			in.ImageTag = aws.String(tag)
		}
		_, err = g.api.PutImage(g.t.Context(), in)
		g.check(err)
	}
	return ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(text), Size: int64(len(text))}
}

// image stores an image of a shared layer and one of its own, which name makes.
func (g *governed) image(repository, name string, tags ...string) ocispec.Descriptor {
	g.t.Helper()
	config := g.blob(repository, fmt.Appendf(nil, `{"architecture":"amd64","os":"linux","config":{"Labels":{"name":%q}}}`, name))
	config.MediaType = ocispec.MediaTypeImageConfig
	m := ocispec.Manifest{MediaType: ocispec.MediaTypeImageManifest, Config: config, Layers: []ocispec.Descriptor{
		g.blob(repository, []byte("a layer of all")), g.blob(repository, []byte("the layer of "+name)),
	}}
	m.SchemaVersion = 2
	return g.put(repository, m, m.MediaType, tags...)
}

// bare stores an image that differs from others in its annotation only.
func (g *governed) bare(repository, name string, tags ...string) ocispec.Descriptor {
	g.t.Helper()
	if g.empty[repository].Digest == "" {
		g.empty[repository] = g.blob(repository, []byte("{}"))
	}
	config := g.empty[repository]
	config.MediaType = ocispec.MediaTypeImageConfig
	m := ocispec.Manifest{MediaType: ocispec.MediaTypeImageManifest, Config: config, Layers: []ocispec.Descriptor{g.empty[repository]}, Annotations: map[string]string{"name": name}}
	m.SchemaVersion = 2
	return g.put(repository, m, m.MediaType, tags...)
}

// index stores an index of images.
func (g *governed) index(repository string, images []ocispec.Descriptor, tags ...string) ocispec.Descriptor {
	g.t.Helper()
	for i := range images {
		images[i].Platform = &ocispec.Platform{OS: "linux", Architecture: []string{"amd64", "arm64"}[i%2]}
	}
	m := ocispec.Index{MediaType: ocispec.MediaTypeImageIndex, Manifests: images}
	m.SchemaVersion = 2
	return g.put(repository, m, m.MediaType, tags...)
}

const untaggedPolicy = `{"rules":[{"rulePriority":1,"selection":{"tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":1},"action":{"type":"expire"}}]}`

func parse(t *testing.T, text string) *lifecycle.Policy {
	t.Helper()
	p, err := lifecycle.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Archived images, what indexes list, subjects and layers are all read.
func TestImages(t *testing.T) {
	g := newGoverned(t, localecr.Options{})
	g.repository("app")
	a, b := g.image("app", "a"), g.image("app", "b", "b")
	list := g.index("app", []ocispec.Descriptor{a, b}, "multi")
	old := g.image("app", "old", "old")
	_, err := g.api.UpdateImageStorageClass(t.Context(), &ecr.UpdateImageStorageClassInput{
		RepositoryName: aws.String("app"), ImageId: &types.ImageIdentifier{ImageTag: aws.String("old")}, TargetStorageClass: types.TargetStorageClassArchive,
	})
	g.check(err)
	config := g.blob("app", []byte("{}"))
	config.MediaType = ocispec.MediaTypeEmptyJSON
	signature := ocispec.Manifest{MediaType: ocispec.MediaTypeImageManifest, ArtifactType: "application/vnd.test", Config: config, Layers: []ocispec.Descriptor{config}, Subject: &a}
	signature.SchemaVersion = 2
	referrer := g.put("app", signature, signature.MediaType)

	g.calls.Reset()
	plain, err := g.Images(t.Context(), "app", ManifestsAuto)
	g.check(err)
	if n := g.calls.Count("BatchGetImage"); n != 1 || len(plain.Images) != 5 || plain.Repository != "app" {
		t.Errorf("%d calls for manifests, %d images of %s", n, len(plain.Images), plain.Repository)
	}
	all, err := g.Images(t.Context(), "app", ManifestsAll)
	g.check(err)
	for i, image := range all.Images {
		switch image.Digest {
		case list.Digest:
			if want := []digest.Digest{a.Digest, b.Digest}; !slices.Equal(image.Children, want) || !slices.Equal(plain.Images[i].Children, want) {
				t.Errorf("the index lists %v and %v", image.Children, plain.Images[i].Children)
			}
		case old.Digest:
			if image.Status != lifecycle.StatusArchived || image.LastArchivedAt.IsZero() {
				t.Errorf("the archived image is %+v", image)
			}
		case referrer.Digest:
			if image.Subject != a.Digest {
				t.Errorf("the subject is %q", image.Subject)
			}
		default:
			if len(image.Blobs) != 3 || image.ManifestSize == 0 || plain.Images[i].Blobs != nil {
				t.Errorf("image %s has %v", image.Digest, image.Blobs)
			}
		}
	}
}

// Of a part of the images a policy would seem to do something else.
func TestImagesAllOrNone(t *testing.T) {
	g := newGoverned(t, localecr.Options{})
	g.repository("app")
	for i := range 3 {
		g.image("app", fmt.Sprint(i))
	}
	g.index("app", []ocispec.Descriptor{g.image("app", "c")}, "multi")
	if _, err := g.Images(t.Context(), "other", ManifestsAuto); !errors.Is(err, content.ErrNotFound) {
		t.Error(err)
	}
	for _, fault := range []localecr.Fault{
		{Op: "DescribeImages", Count: -1, Status: 400, Code: "AccessDeniedException", Message: "not authorized to perform: ecr:DescribeImages"},
		{Op: "BatchGetImage", Count: -1, Status: 400, Code: "AccessDeniedException", Message: "not authorized to perform: ecr:BatchGetImage"},
		{Op: "DescribeImages", Count: -1, Status: 500},
	} {
		g.check(g.server.SetFaults(fault))
		inventory, err := g.LifecycleEffect(fastclock.Context(t.Context()), "app", parse(t, untaggedPolicy), time.Now(), ManifestsAuto)
		if err == nil || len(inventory.After.Verdicts) > 0 {
			t.Errorf("%s %d: %d verdicts, %v", fault.Op, fault.Status, len(inventory.After.Verdicts), err)
		}
	}
}

// The policy that a repository has is set beside the one that is meant.
func TestLifecycleEffect(t *testing.T) {
	g := newGoverned(t, localecr.Options{})
	g.repository("app")
	now := g.server.Clock().Now()
	g.image("app", "a")
	g.image("app", "b", "v1")
	g.server.Clock().Advance(2 * time.Second)
	newest := g.image("app", "c", "v2")
	policy := parse(t, `{"rules":[{"rulePriority":1,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":1},"action":{"type":"expire"}}]}`)
	e, err := g.LifecycleEffect(t.Context(), "app", policy, now.Add(LifecycleDelay), ManifestsAll)
	g.check(err)
	if s := e.After.Summary(); s.Expire != 2 || s.Images != 3 || !s.ExpireBytes.SharedOnce || e.Present != "" || e.Before.Summary().Expire != 0 {
		t.Errorf("%+v", s)
	}
	g.check(g.PutLifecyclePolicy(t.Context(), "app", untaggedPolicy))
	e, err = g.LifecycleEffect(t.Context(), "app", policy, now.Add(48*time.Hour), ManifestsAuto)
	g.check(err)
	if d := e.Difference(); len(d.Expired) != 1 || len(d.Saved) != 0 || e.Inventory.Images[d.Expired[0]].Digest == newest.Digest || !e.Same(untaggedPolicy+"\n") {
		t.Errorf("%+v", d)
	}
}

// To read a manifest is a pull, by which some policies go.
func TestEffectIsNoPull(t *testing.T) {
	g := newGoverned(t, localecr.Options{})
	g.repository("app")
	g.index("app", []ocispec.Descriptor{g.image("app", "a")}, "multi")
	archive := parse(t, `{"rules":[{"rulePriority":1,"selection":{"tagStatus":"any","countType":"sinceImagePulled","countUnit":"days","countNumber":1},"action":{"type":"transition","targetStorageClass":"archive"}}]}`)
	g.calls.Reset()
	e, err := g.LifecycleEffect(t.Context(), "app", archive, g.server.Clock().Now().Add(48*time.Hour), ManifestsAuto)
	g.check(err)
	if s := e.After.Summary(); g.calls.Count("BatchGetImage") != 0 || s.UnknownIndexes != 1 || s.Transition != 2 {
		t.Errorf("%d manifests were read, %+v", g.calls.Count("BatchGetImage"), s)
	}
	e, err = g.LifecycleEffect(t.Context(), "app", parse(t, untaggedPolicy), g.server.Clock().Now().Add(48*time.Hour), ManifestsAuto)
	g.check(err)
	if s := e.After.Summary(); g.calls.Count("BatchGetImage") != 1 || s.UnknownIndexes != 0 || s.Expire != 0 {
		t.Errorf("%d manifests were read, %+v", g.calls.Count("BatchGetImage"), s)
	}
}

// Amazon ECR's own preview is made for the policy that is meant, and is found to agree.
func TestLifecyclePreview(t *testing.T) { synctest.Test(t, checkLifecyclePreview) }

func checkLifecyclePreview(t *testing.T) {
	g := newGoverned(t, localecr.Options{PreviewTime: 400 * time.Millisecond})
	g.repository("app")
	for i := range previewPage + 1 {
		empty := ocispec.Index{MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{}, Annotations: map[string]string{"n": fmt.Sprint(i)}}
		empty.SchemaVersion = 2
		g.put("app", empty, empty.MediaType)
	}
	if _, _, err := g.LifecyclePreview(t.Context(), "app", "", time.Minute); !errors.Is(err, ErrNoLifecyclePolicy) {
		t.Error(err)
	}
	g.server.Clock().Advance(25 * time.Hour)
	// One that somebody else has started is waited for.
	_, err := g.api.StartLifecyclePolicyPreview(t.Context(), &ecr.StartLifecyclePolicyPreviewInput{RepositoryName: aws.String("app"), LifecyclePolicyText: aws.String(untaggedPolicy)})
	g.check(err)
	text := strings.Replace(untaggedPolicy, "\"rulePriority\":1", "\"rulePriority\":7", 1)
	preview, _, err := g.LifecyclePreview(t.Context(), "app", text, time.Minute)
	g.check(err)
	for id, action := range preview {
		if action != (lifecycle.PreviewAction{Outcome: lifecycle.Expire, Rule: 7}) {
			t.Fatalf("%s: %+v", id, action)
		}
	}
	if len(preview) != previewPage+1 || g.calls.Count("StartLifecyclePolicyPreview") < 3 {
		t.Errorf("%d images, %d starts", len(preview), g.calls.Count("StartLifecyclePolicyPreview"))
	}
	g.check(g.PutLifecyclePolicy(t.Context(), "app", untaggedPolicy))
	if _, got, err := g.LifecyclePreview(t.Context(), "app", "", time.Minute); err != nil || got != untaggedPolicy {
		t.Error(got, err)
	}
	g.server.Clock().Advance(time.Second)
	if _, _, err := g.LifecyclePreview(t.Context(), "app", "", 0); !errors.Is(err, ErrPreview) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := g.LifecyclePreview(ctx, "app", "", time.Minute); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// The examples of the user guide, put into a repository: Amazon ECR's preview and ours
// agree on every image.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_examples.html
func TestExamplesInARepository(t *testing.T) { synctest.Test(t, checkExamples) }

func checkExamples(t *testing.T) {
	text, err := os.ReadFile("../../lifecycle/testdata/examples.json")
	if err != nil {
		t.Fatal(err)
	}
	var examples []struct {
		Name   string
		Images []struct {
			Name                               string
			Tags                               []string
			Pushed, Pulled, Archived, Restored int // days ago, 0 is never
		}
		Policy            json.RawMessage
		Expired, Archived []string
	}
	if err := json.Unmarshal(text, &examples); err != nil {
		t.Fatal(err)
	}
	g := newGoverned(t, localecr.Options{PreviewTime: time.Nanosecond, RestoreTime: time.Nanosecond})
	now := time.Date(2030, 3, 1, 12, 0, 0, 0, time.UTC)
	for n, x := range examples {
		repository := fmt.Sprintf("example-%d", n)
		names := map[digest.Digest]string{}
		type event struct {
			days int
			do   func()
		}
		var events []event
		g.server.Clock().Set(now.AddDate(0, 0, -1000))
		g.repository(repository)
		for _, i := range x.Images {
			id := new(digest.Digest)
			class := func(to types.TargetStorageClass) func() {
				return func() {
					_, err := g.api.UpdateImageStorageClass(t.Context(), &ecr.UpdateImageStorageClassInput{
						RepositoryName: &repository, ImageId: &types.ImageIdentifier{ImageDigest: aws.String(string(*id))}, TargetStorageClass: to,
					})
					g.check(err)
				}
			}
			events = append(events, event{i.Pushed, func() {
				var tags []string
				for _, tag := range i.Tags { // the guide has "git hash"
					tags = append(tags, strings.ReplaceAll(tag, " ", "-"))
				}
				*id = g.bare(repository, i.Name, tags...).Digest
				names[*id] = i.Name
			}})
			if i.Archived > 0 {
				events = append(events, event{i.Archived, class(types.TargetStorageClassArchive)})
			}
			if i.Restored > 0 {
				if i.Archived == 0 {
					events = append(events, event{i.Restored, class(types.TargetStorageClassArchive)})
				}
				events = append(events, event{i.Restored, class(types.TargetStorageClassStandard)})
			}
			if i.Pulled > 0 {
				events = append(events, event{i.Pulled, func() {
					_, err := g.api.BatchGetImage(t.Context(), &ecr.BatchGetImageInput{RepositoryName: &repository, ImageIds: []types.ImageIdentifier{{ImageDigest: aws.String(string(*id))}}})
					g.check(err)
				}})
			}
		}
		slices.SortStableFunc(events, func(a, b event) int { return b.days - a.days })
		for n, e := range events {
			g.server.Clock().Set(now.Add(-time.Duration(e.days)*24*time.Hour + time.Duration(n)*time.Second))
			e.do()
		}
		// What was pushed so many days ago was pushed some seconds later, and is not older.
		at := now
		g.server.Clock().Set(at)
		effect, err := g.LifecycleEffect(t.Context(), repository, parse(t, string(x.Policy)), at, ManifestsAuto)
		g.check(err)
		preview, _, err := g.LifecyclePreview(t.Context(), repository, string(x.Policy), time.Minute)
		g.check(err)
		for _, m := range effect.After.Compare(preview) {
			t.Errorf("%s: image %s: %+v here, %+v in the preview", x.Name, names[m.Digest], m.Ours, m.Theirs)
		}
		got := map[lifecycle.Outcome][]string{}
		for id, action := range preview {
			got[action.Outcome] = append(got[action.Outcome], names[id])
		}
		slices.Sort(got[lifecycle.Expire])
		slices.Sort(got[lifecycle.Transition])
		if !slices.Equal(got[lifecycle.Expire], x.Expired) || !slices.Equal(got[lifecycle.Transition], x.Archived) {
			t.Errorf("%s: the preview is %v, want %v expired, %v archived", x.Name, got, x.Expired, x.Archived)
		}
	}
	if len(examples) < 10 {
		t.Errorf("there are only %d examples", len(examples))
	}
}
