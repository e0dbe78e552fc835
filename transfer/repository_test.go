package transfer

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/localecr"
)

func TestCreateRepository(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	tests := map[string]struct {
		settings RepositorySettings
		want     Repository // without what each has
	}{
		"plain":      {RepositorySettings{}, Repository{TagMutability: "MUTABLE", Encryption: "AES256"}},
		"scanned":    {RepositorySettings{ScanOnPush: true, Encryption: "AES256"}, Repository{TagMutability: "MUTABLE", ScanOnPush: true, Encryption: "AES256"}},
		"immutable":  {RepositorySettings{ImmutableTags: true}, Repository{TagMutability: "IMMUTABLE", Encryption: "AES256"}},
		"exceptions": {RepositorySettings{ImmutableTags: true, MutabilityExclusions: []string{"dev-*", "*"}}, Repository{TagMutability: "IMMUTABLE_WITH_EXCLUSION", MutabilityExclusions: []string{"dev-*", "*"}, Encryption: "AES256"}},
		"releases":   {RepositorySettings{MutabilityExclusions: []string{"v*"}}, Repository{TagMutability: "MUTABLE_WITH_EXCLUSION", MutabilityExclusions: []string{"v*"}, Encryption: "AES256"}},
		"kms":        {RepositorySettings{KMSKey: "alias/x"}, Repository{TagMutability: "MUTABLE", Encryption: "KMS", KMSKey: "alias/x"}},
		"dsse":       {RepositorySettings{Encryption: "KMS_DSSE", KMSKey: "alias/x", Tags: map[string]string{"team": "core"}}, Repository{TagMutability: "MUTABLE", Encryption: "KMS_DSSE", KMSKey: "alias/x"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			e := w.repository("made/" + name)
			got, err := e.CreateRepository(t.Context(), tt.settings)
			check(t, err)
			if got.CreatedAt.IsZero() || got.ARN == "" {
				t.Errorf("incomplete: %+v", got)
			}
			tt.want.Name, tt.want.Host, tt.want.ARN, tt.want.CreatedAt = "made/"+name, w.registry.Host, got.ARN, got.CreatedAt
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			described, err := e.Describe(t.Context())
			check(t, err)
			if !reflect.DeepEqual(described, tt.want) {
				t.Errorf("described as %+v, want %+v", described, tt.want)
			}
			_, err = e.CreateRepository(t.Context(), tt.settings)
			if !errors.Is(err, ErrConflict) {
				t.Errorf("second creation: %v", err)
			}
		})
	}
}

func TestRepositorySettingsValidate(t *testing.T) {
	for name, s := range map[string]RepositorySettings{
		"unknown encryption": {Encryption: "ROT13"},
		"key without KMS":    {Encryption: "AES256", KMSKey: "alias/x"},
		"empty exclusion":    {MutabilityExclusions: []string{""}},
		"six exclusions":     {MutabilityExclusions: make([]string, 6)},
	} {
		if s.Validate() == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestRepositories(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	want := []string{"app"}
	for i := range 3 {
		name := fmt.Sprintf("team/%d", i)
		w.create(name, types.ImageTagMutabilityMutable)
		want = append(want, name)
	}
	var got []string
	for repository, err := range Repositories(t.Context(), w.cfg, w.registry) {
		check(t, err)
		got = append(got, repository.Name)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestPushCreatesRepository has a push find no repository.
func TestPushCreatesRepository(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	src, image, _ := newFixture(t, 1)
	e := w.repository("new")
	e.Create = &RepositorySettings{ImmutableTags: true}
	opts := Options{Reference: "image", Tags: []string{"1"}}
	if got := mustCopy(t, NewLayout(src), e, opts); got.Digest != digestOf(t, image) {
		t.Errorf("pushed %s", got.Digest)
	}
	if count := w.calls.Count("CreateRepository"); count != 1 {
		t.Errorf("%d repositories created", count)
	}
	described, err := e.Describe(t.Context())
	check(t, err)
	if described.TagMutability != "IMMUTABLE" {
		t.Errorf("created as %+v", described)
	}
}

// TestPreviewCreatesNothing has a preview tell that a push would create the
// repository.
func TestPreviewCreatesNothing(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	src, _, _ := newFixture(t, 1)
	e := w.repository("new")
	e.Create = &RepositorySettings{}
	planned := Preview(t.Context(), NewLayout(src), []Destination{{Target: e, Tags: []string{"1"}}}, Options{Reference: "image"})
	if p := planned[0]; p.Err != nil || p.Calls["CreateRepository"] != 1 || p.Blobs != 3 && p.Blobs != 2 {
		t.Errorf("%+v", p)
	}
	w.expectCalls(map[string]int{"BatchCheckLayerAvailability": 1})
	if _, err := w.repository("new").Describe(t.Context()); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

// TestTagCreatesRepository has nothing but a manifest written to a repository that
// is missing.
func TestTagCreatesRepository(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	e := w.repository("new")
	e.Create = &RepositorySettings{}
	manifest := []byte(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}`)
	m := Manifest{Content: manifest, Descriptor: Descriptor{MediaType: manifestMediaTypes()[1], Digest: digest.FromBytes(manifest), Size: int64(len(manifest))}}
	check(t, e.PutTagged(t.Context(), m, "1"))
	w.expectCalls(map[string]int{"PutImage": 2, "CreateRepository": 1})
}

// TestPushesCreateRepository has several pushes find no repository at once.
func TestPushesCreateRepository(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	src, _, _ := newFixture(t, 1)
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			e := w.repository("new")
			e.Create = &RepositorySettings{}
			if _, err := Copy(t.Context(), NewLayout(src), e, Options{Reference: "image", Tags: []string{fmt.Sprint(i)}}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// TestPullCreatesNothing has a repository be missing where it is read.
func TestPullCreatesNothing(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	_, err := Copy(t.Context(), w.repository("none"), NewLayout(t.TempDir()), Options{Reference: "1"})
	if !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v", err)
	}
	w.expectCalls(map[string]int{"BatchGetImage": 1})
}

// A repository that was deleted after a push is made again where that is asked for.
func TestPushAgainCreatesRepository(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	src, _, _ := newFixture(t, 1)
	opts := Options{Reference: "image", Tags: []string{"1"}, JournalDir: t.TempDir()}
	mustCopy(t, NewLayout(src), w.repository("app"), opts)
	_, err := auth.NewClient(w.cfg, w.registry).DeleteRepository(t.Context(), &ecr.DeleteRepositoryInput{RepositoryName: aws.String("app"), Force: true})
	check(t, err)
	w.calls.Reset()

	_, err = Copy(t.Context(), NewLayout(src), w.repository("app"), opts)
	if !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v", err)
	}
	w.expectCalls(map[string]int{"BatchGetImage": 1, "BatchCheckLayerAvailability": 1, "InitiateLayerUpload": 1})
	dst := w.repository("app")
	dst.Create = &RepositorySettings{}
	if result := mustCopy(t, NewLayout(src), dst, opts); result.BlobsSent != 2 {
		t.Errorf("%+v", result)
	}
}

// A registry may create repositories by itself when something is pushed.
func TestPushCreatesByTemplate(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	src, _, _ := newFixture(t, 1)
	opts := Options{Reference: "image", Tags: []string{"1"}}
	dsts := func() []Destination {
		return []Destination{{Target: w.repository("native/app"), Tags: []string{"1"}}, {Target: w.v2Repository("v2/app"), Tags: []string{"1"}}}
	}
	for _, p := range Preview(t.Context(), NewLayout(src), dsts(), opts) {
		if !errors.Is(p.Err, ErrNotFound) {
			t.Errorf("got %v", p.Err)
		}
	}
	_, err := auth.NewClient(w.cfg, w.registry).CreateRepositoryCreationTemplate(t.Context(), &ecr.CreateRepositoryCreationTemplateInput{
		Prefix: aws.String("ROOT"), AppliedFor: []types.RCTAppliedFor{types.RCTAppliedForCreateOnPush}, ImageTagMutability: types.ImageTagMutabilityImmutable,
	})
	check(t, err)
	w.calls.Reset()
	for _, copied := range CopyAll(t.Context(), NewLayout(src), dsts(), opts) {
		check(t, copied.Err)
	}
	if n := w.calls.Count("InitiateLayerUpload"); n != 2+2 { // one for each repository, and the two blobs of one
		t.Errorf("%d uploads began", n)
	}
	made, err := w.repository("v2/app").Describe(t.Context())
	check(t, err)
	if made.TagMutability != "IMMUTABLE" {
		t.Errorf("%+v", made)
	}
}
