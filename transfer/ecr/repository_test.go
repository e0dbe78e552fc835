package ecr

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

func TestCreateRepository(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localecr.Options{})
	tests := map[string]struct {
		settings Settings
		want     RepositoryDescription // without what each has
	}{
		"plain":      {Settings{}, RepositoryDescription{TagMutability: "MUTABLE", Encryption: "AES256"}},
		"scanned":    {Settings{ScanOnPush: true, Encryption: "AES256"}, RepositoryDescription{TagMutability: "MUTABLE", ScanOnPush: true, Encryption: "AES256"}},
		"immutable":  {Settings{ImmutableTags: true}, RepositoryDescription{TagMutability: "IMMUTABLE", Encryption: "AES256"}},
		"exceptions": {Settings{ImmutableTags: true, MutabilityExclusions: []string{"dev-*", "*"}}, RepositoryDescription{TagMutability: "IMMUTABLE_WITH_EXCLUSION", MutabilityExclusions: []string{"dev-*", "*"}, Encryption: "AES256"}},
		"releases":   {Settings{MutabilityExclusions: []string{"v*"}}, RepositoryDescription{TagMutability: "MUTABLE_WITH_EXCLUSION", MutabilityExclusions: []string{"v*"}, Encryption: "AES256"}},
		"kms":        {Settings{KMSKey: "alias/ecrkit-symmetric"}, RepositoryDescription{TagMutability: "MUTABLE", Encryption: "KMS", KMSKey: "alias/ecrkit-symmetric"}},
		"dsse":       {Settings{Encryption: "KMS_DSSE", KMSKey: "alias/ecrkit-symmetric", Tags: map[string]string{"team": "core"}}, RepositoryDescription{TagMutability: "MUTABLE", Encryption: "KMS_DSSE", KMSKey: "alias/ecrkit-symmetric"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			e := w.repository("made/" + name)
			got, err := e.CreateRepository(t.Context(), tt.settings)
			fixture.Check(t, err)
			if got.CreatedAt.IsZero() || got.ARN == "" {
				t.Errorf("incomplete: %+v", got)
			}
			tt.want.Name, tt.want.Host, tt.want.ARN, tt.want.CreatedAt = "made/"+name, w.Registry.Host, got.ARN, got.CreatedAt
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			described, err := e.Describe(t.Context())
			fixture.Check(t, err)
			if !reflect.DeepEqual(described, tt.want) {
				t.Errorf("described as %+v, want %+v", described, tt.want)
			}
			_, err = e.CreateRepository(t.Context(), tt.settings)
			if !errors.Is(err, content.ErrConflict) {
				t.Errorf("second creation: %v", err)
			}
		})
	}
}

func TestRepositorySettingsValidate(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]Settings{
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
	t.Parallel()
	w := newWorld(t, localecr.Options{})
	want := []string{"app"}
	for i := range 3 {
		name := fmt.Sprintf("team/%d", i)
		w.Create(name, types.ImageTagMutabilityMutable)
		want = append(want, name)
	}
	var got []string
	for repository, err := range List(t.Context(), w.Config, w.Registry) {
		fixture.Check(t, err)
		got = append(got, repository.Name)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestPushCreatesRepository has a push find no repository.
func TestPushCreatesRepository(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localecr.Options{})
	src, image, _ := fixture.Layout(t, 1)
	e := w.repository("new")
	e.Create = &Settings{ImmutableTags: true}
	opts := transfer.Options{Reference: "image", Tags: []string{"1"}}
	if got := mustCopy(t, layout.New(src), e, opts); got.Digest != fixture.DigestOf(t, image) {
		t.Errorf("pushed %s", got.Digest)
	}
	if count := w.Calls.Count("CreateRepository"); count != 1 {
		t.Errorf("%d repositories created", count)
	}
	described, err := e.Describe(t.Context())
	fixture.Check(t, err)
	if described.TagMutability != "IMMUTABLE" {
		t.Errorf("created as %+v", described)
	}
}

// TestPreviewCreatesNothing has a preview tell that a push would create the
// repository.
func TestPreviewCreatesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localecr.Options{})
	src, _, _ := fixture.Layout(t, 1)
	e := w.repository("new")
	e.Create = &Settings{}
	planned := transfer.Preview(t.Context(), layout.New(src), []transfer.Destination{{Target: e, Tags: []string{"1"}}}, transfer.Options{Reference: "image"})
	if p := planned[0]; p.Err != nil || p.Calls["CreateRepository"] != 1 || p.Blobs != 3 && p.Blobs != 2 {
		t.Errorf("%+v", p)
	}
	w.ExpectCalls(map[string]int{"BatchCheckLayerAvailability": 1})
	if _, err := w.repository("new").Describe(t.Context()); !errors.Is(err, content.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

// TestTagCreatesRepository has nothing but a manifest written to a repository that
// is missing.
func TestTagCreatesRepository(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localecr.Options{})
	e := w.repository("new")
	e.Create = &Settings{}
	manifest := []byte(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}`)
	m := content.Manifest{Content: manifest, Descriptor: content.Descriptor{MediaType: content.ManifestMediaTypes()[1], Digest: digest.FromBytes(manifest), Size: int64(len(manifest))}}
	fixture.Check(t, e.PutTagged(t.Context(), m, "1"))
	w.ExpectCalls(map[string]int{"PutImage": 2, "CreateRepository": 1})
}

// TestPushesCreateRepository has several pushes find no repository at once.
func TestPushesCreateRepository(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localecr.Options{})
	src, _, _ := fixture.Layout(t, 1)
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			e := w.repository("new")
			e.Create = &Settings{}
			if _, err := transfer.Copy(fixture.Context(t), layout.New(src), e, transfer.Options{Reference: "image", Tags: []string{fmt.Sprint(i)}}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// TestPullCreatesNothing has a repository be missing where it is read.
func TestPullCreatesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localecr.Options{})
	_, err := transfer.Copy(fixture.Context(t), w.repository("none"), layout.New(t.TempDir()), transfer.Options{Reference: "1"})
	if !errors.Is(err, content.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	w.ExpectCalls(map[string]int{"BatchGetImage": 1})
}

// A repository that was deleted after a push is made again where that is asked for.
func TestPushAgainCreatesRepository(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localecr.Options{})
	src, _, _ := fixture.Layout(t, 1)
	opts := transfer.Options{Reference: "image", Tags: []string{"1"}, JournalDir: t.TempDir()}
	mustCopy(t, layout.New(src), w.repository("app"), opts)
	_, err := auth.NewClient(w.Config, w.Registry).DeleteRepository(t.Context(), &ecr.DeleteRepositoryInput{RepositoryName: aws.String("app"), Force: true})
	fixture.Check(t, err)
	w.Calls.Reset()

	_, err = transfer.Copy(fixture.Context(t), layout.New(src), w.repository("app"), opts)
	if !errors.Is(err, content.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	w.ExpectCalls(map[string]int{"BatchGetImage": 1, "BatchCheckLayerAvailability": 1, "InitiateLayerUpload": 1})
	dst := w.repository("app")
	dst.Create = &Settings{}
	if result := mustCopy(t, layout.New(src), dst, opts); result.BlobsSent != 2 {
		t.Errorf("%+v", result)
	}
}

// A registry may create repositories by itself when something is pushed.
func TestPushCreatesByTemplate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localecr.Options{})
	src, _, _ := fixture.Layout(t, 1)
	opts := transfer.Options{Reference: "image", Tags: []string{"1"}}
	dsts := func() []transfer.Destination {
		return []transfer.Destination{{Target: w.repository("native/app"), Tags: []string{"1"}}, {Target: w.v2Repository("v2/app"), Tags: []string{"1"}}}
	}
	for _, p := range transfer.Preview(t.Context(), layout.New(src), dsts(), opts) {
		if !errors.Is(p.Err, content.ErrNotFound) {
			t.Errorf("got %v", p.Err)
		}
	}
	_, err := auth.NewClient(w.Config, w.Registry).CreateRepositoryCreationTemplate(t.Context(), &ecr.CreateRepositoryCreationTemplateInput{
		Prefix: aws.String("ROOT"), AppliedFor: []types.RCTAppliedFor{types.RCTAppliedForCreateOnPush}, ImageTagMutability: types.ImageTagMutabilityImmutable,
	})
	fixture.Check(t, err)
	w.Calls.Reset()
	for _, copied := range transfer.CopyAll(t.Context(), layout.New(src), dsts(), opts) {
		fixture.Check(t, copied.Err)
	}
	if n := w.Calls.Count("InitiateLayerUpload"); n != 2+2 { // one for each repository, and the two blobs of one
		t.Errorf("%d uploads began", n)
	}
	made, err := w.repository("v2/app").Describe(t.Context())
	fixture.Check(t, err)
	if made.TagMutability != "IMMUTABLE" {
		t.Errorf("%+v", made)
	}
}

// Whoever may not create repositories pushes to those that a template creates, unless settings are asked for.
func TestTemplateCreatesWithoutPermission(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localecr.Options{})
	src, _, _ := fixture.Layout(t, 1)
	fixture.Check(t, w.Server.SetFaults(localecr.Fault{Op: "CreateRepository", Count: -1, Status: 400, Code: "AccessDeniedException"}))
	push := func(name string, s Settings) error {
		e := w.repository(name)
		e.Create = &s
		_, err := transfer.Copy(t.Context(), layout.New(src), e, transfer.Options{Reference: "image", Tags: []string{"1"}})
		return err
	}
	if err := push("team/app", Settings{}); err == nil || !strings.Contains(err.Error(), "AccessDenied") {
		t.Errorf("without a template: %v", err)
	}
	_, err := auth.NewClient(w.Config, w.Registry).CreateRepositoryCreationTemplate(t.Context(), &ecr.CreateRepositoryCreationTemplateInput{
		Prefix: aws.String("team/"), AppliedFor: []types.RCTAppliedFor{types.RCTAppliedForCreateOnPush},
	})
	fixture.Check(t, err)
	fixture.Check(t, push("team/app", Settings{}))
	if err := push("team/other", Settings{ScanOnPush: true}); err == nil {
		t.Error("settings that were asked for were not used")
	}
}

// A repository that Amazon ECR refuses to create is not asked for again by the next image; what may pass is.
func TestRefusedCreationIsRemembered(t *testing.T) {
	t.Parallel()
	for code, c := range map[string]struct{ creations, uploads int }{
		"AccessDeniedException":  {1, 1}, // which asks whether a template creates it
		"KmsException":           {1, 0},
		"LimitExceededException": {1, 0},
		"ExpiredTokenException":  {3, 0},
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, localecr.Options{})
			fixture.Check(t, w.Server.SetFaults(localecr.Fault{Op: "CreateRepository", Count: -1, Status: 400, Code: code}))
			e := w.repository("team/app")
			e.Create = &Settings{}
			src, _, _ := fixture.Layout(t, 1)
			texts := map[string]bool{}
			for range 3 {
				_, err := transfer.Copy(t.Context(), layout.New(src), e, transfer.Options{Reference: "image", Tags: []string{"1"}})
				if err == nil || !strings.Contains(err.Error(), code) {
					t.Fatal(err)
				}
				texts[err.Error()] = true
			}
			if n := w.Calls.Count("CreateRepository"); n != c.creations {
				t.Errorf("%d creations, not %d", n, c.creations)
			}
			if n := w.Calls.Count("InitiateLayerUpload"); n != c.uploads {
				t.Errorf("%d uploads began, not %d", n, c.uploads)
			}
			if c.creations == 1 && len(texts) != 1 {
				t.Errorf("the causes are %v", texts)
			}
			fixture.Check(t, w.Server.SetFaults())
			again := w.repository("team/app") // another run
			again.Create = &Settings{}
			_, err := transfer.Copy(t.Context(), layout.New(src), again, transfer.Options{Reference: "image", Tags: []string{"1"}})
			fixture.Check(t, err)
			_, err = transfer.Copy(t.Context(), layout.New(src), e, transfer.Options{Reference: "image", Tags: []string{"2"}})
			fixture.Check(t, err) // it exists now
		})
	}
}

// One request for the templates says for which repositories a push need not try.
func TestTemplatesAreAskedForOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		prefix, repository string
		applied            types.RCTAppliedFor
		denied             bool
		tried, created     int // uploads that begin without a byte, and CreateRepository
	}{
		"none":                {repository: "team/app", created: 2},
		"for all":             {prefix: "ROOT", repository: "team/app", applied: types.RCTAppliedForCreateOnPush, tried: 2},
		"for these":           {prefix: "team", repository: "team/app", applied: types.RCTAppliedForCreateOnPush, tried: 2},
		"for these with /":    {prefix: "team/", repository: "team/app", applied: types.RCTAppliedForCreateOnPush, tried: 2},
		"for others":          {prefix: "team", repository: "teams/app", applied: types.RCTAppliedForCreateOnPush, created: 2},
		"not for a push":      {prefix: "ROOT", repository: "team/app", applied: types.RCTAppliedForReplication, created: 2},
		"denied":              {prefix: "ROOT", repository: "team/app", applied: types.RCTAppliedForCreateOnPush, denied: true, tried: 2},
		"denied, and no such": {repository: "team/app", denied: true, tried: 2, created: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, localecr.Options{})
			if c.prefix != "" {
				_, err := auth.NewClient(w.Config, w.Registry).CreateRepositoryCreationTemplate(t.Context(), &ecr.CreateRepositoryCreationTemplateInput{
					Prefix: &c.prefix, AppliedFor: []types.RCTAppliedFor{c.applied}, ImageTagMutability: types.ImageTagMutabilityImmutable,
				})
				fixture.Check(t, err)
			}
			if c.denied {
				fixture.Check(t, w.Server.SetFaults(localecr.Fault{Op: "DescribeRepositoryCreationTemplates", Count: -1, Status: 400, Code: "AccessDeniedException"}))
			}
			src, _, _ := fixture.Layout(t, 1)
			targets := []*Repository{w.v2Repository(c.repository), w.v2Repository(c.repository + "/web")}
			w.Calls.Reset()
			var templates Templates
			for _, e := range targets {
				e.Create, e.Templates = &Settings{}, &templates
				_, err := transfer.Copy(t.Context(), layout.New(src), e, transfer.Options{Reference: "image", Tags: []string{"1"}})
				fixture.Check(t, err)
				made, err := e.Describe(t.Context())
				fixture.Check(t, err)
				if byTemplate := made.TagMutability == "IMMUTABLE"; byTemplate != (c.created == 0) {
					t.Errorf("%s: made by a template: %t", e, byTemplate)
				}
			}
			for op, want := range map[string]int{"DescribeRepositoryCreationTemplates": 1, "InitiateLayerUpload": c.tried, "CreateRepository": c.created} {
				if n := w.Calls.Count(op); n != want {
					t.Errorf("%d calls of %s, not %d", n, op, want)
				}
			}
		})
	}
}

// A repository that could not be listed has no blobs: they are not asked for, once.
func TestUnlistedRepositoryHasNoBlobs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localecr.Options{})
	e := w.repository("team/app")
	blobs := []content.Descriptor{{Digest: digest.FromString("x"), Size: 1}}
	for _, err := range e.Images(t.Context(), content.AnyTags) {
		if !errors.Is(err, content.ErrNotFound) {
			t.Fatal(err)
		}
	}
	for i := range 2 {
		w.Calls.Reset()
		missing, err := e.MissingBlobs(t.Context(), blobs)
		fixture.Check(t, err)
		if n := w.Calls.Count("BatchCheckLayerAvailability"); n != i || len(missing) != 1 {
			t.Errorf("check %d: %d calls, %d missing", i+1, n, len(missing))
		}
		if err := e.CheckRepository(); !errors.Is(err, content.ErrNotFound) {
			t.Errorf("check %d: the repository is not missing: %v", i+1, err)
		}
	}
}
