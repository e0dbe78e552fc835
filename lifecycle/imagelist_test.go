package lifecycle

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

func detail(name, more string) string {
	return fmt.Sprintf(`{"registryId":"000000000000","repositoryName":"app","imageDigest":%q,"imageSizeInBytes":5,"imagePushedAt":"2026-01-31T12:00:00+09:00"%s}`, digestOf(name), more)
}

func readText(texts ...string) (Inventory, error) {
	var readers []io.Reader
	for _, text := range texts {
		readers = append(readers, strings.NewReader(text))
	}
	return ReadImages(readers...)
}

func TestReadImages(t *testing.T) {
	page := func(details ...string) string { return `{"imageDetails":[` + strings.Join(details, ",") + `]}` }
	for name, texts := range map[string][]string{
		"pages":             {page(detail("a", "")) + "\n" + page(detail("b", ""), detail("c", ""))},
		"files":             {page(detail("a", "")), page(detail("b", ""), detail("c", ""))},
		"list of pages":     {"[" + page(detail("a", "")) + "," + page(detail("b", ""), detail("c", "")) + "]"},
		"list of images":    {"[" + detail("a", "") + "," + detail("b", "") + "," + detail("c", "") + "]"},
		"images":            {detail("a", "") + detail("b", "") + detail("c", "")},
		"pages that repeat": {page(detail("a", ""), detail("b", "")), page(detail("b", ""), detail("c", ""))},
	} {
		t.Run(name, func(t *testing.T) {
			inventory, err := readText(texts...)
			if err != nil {
				t.Fatal(err)
			}
			if len(inventory.Images) != 3 || inventory.Repository != "app" || inventory.RegistryID != "000000000000" {
				t.Errorf("got %+v", inventory)
			}
			for i, name := range []string{"a", "b", "c"} {
				if image := inventory.Images[i]; image.Digest != digestOf(name) || image.Size != 5 || image.Status != StatusActive ||
					!image.PushedAt.Equal(time.Date(2026, 1, 31, 3, 0, 0, 0, time.UTC)) {
					t.Errorf("image %s is %+v", name, image)
				}
			}
		})
	}
	if inventory, err := readText(`{"imageDetails":[]}`); err != nil || len(inventory.Images) != 0 {
		t.Errorf("of an empty repository: %+v, %v", inventory, err)
	}
}

func TestTimestamps(t *testing.T) {
	want := time.Date(2020, 3, 13, 2, 20, 13, 250_000_000, time.UTC)
	for _, text := range []string{`1584066013.25`, `1.58406601325E9`, `"2020-03-13T02:20:13.25Z"`, `"2020-03-13T11:20:13.250000+09:00"`, `"2020-03-13T11:20:13.25+0900"`} {
		var got timestamp
		if err := json.Unmarshal([]byte(text), &got); err != nil || !got.Equal(want) {
			t.Errorf("%s is %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{`"yesterday"`, `-1`, `1e300`, `{}`, `true`, `"0001-01-01T00:00:00Z"`} {
		var got timestamp
		if err := json.Unmarshal([]byte(text), &got); err == nil {
			t.Errorf("%s is %v", text, got)
		}
	}
}

func TestReadImagesRefuses(t *testing.T) {
	manifest := `{"mediaType":"` + ocispec.MediaTypeImageIndex + `","manifests":[]}`
	twice := `{"mediaType":"` + ocispec.MediaTypeImageIndex + `","manifests":[],"manifests":[]}`
	for _, x := range []struct{ name, text, want string }{
		{"nothing", "", "the list of images is empty"},
		{"no JSON", "imageDetails", "the list of images is not JSON"},
		{"cut", `{"imageDetails":[`, "the list of images is not JSON"},
		{"another object", `{"repositories":[]}`, "the output of neither aws ecr describe-images nor batch-get-image"},
		{"a number", `1`, "the list of images"},
		{"a list of texts", `["a"]`, "the list of images"},
		{"no digest", `{"imageDetails":[{}]}`, `imageDigest: "" is not a sha256 digest`},
		{"bad digest", `{"imageDigest":"sha256:x"}`, "is not a sha256 digest"},
		{"no time", fmt.Sprintf(`{"imageDigest":%q}`, digestOf("a")), "imagePushedAt is missing"},
		{"status", detail("a", `,"imageStatus":"GONE"`), `imageStatus "GONE" is unknown`},
		{"archived when", detail("a", `,"imageStatus":"ARCHIVED"`), "lastArchivedAt is missing"},
		{"size", strings.Replace(detail("a", ""), `"imageSizeInBytes":5`, `"imageSizeInBytes":-1`, 1), "imageSizeInBytes is less than 0"},
		{"empty tag", detail("a", `,"imageTags":[""]`), "a tag that is empty or too long"},
		{"subject", detail("a", `,"subjectManifestDigest":"x"`), "subjectManifestDigest"},
		{"repositories", detail("a", "") + strings.Replace(detail("b", ""), `"app"`, `"other"`, 1), `it is in the repository "other", others are in "app"; a policy is for one repository`},
		{"registries", detail("a", "") + strings.Replace(detail("b", ""), `"000000000000"`, `"1"`, 1), `it is in the registry "1"`},
		{"different", detail("a", "") + detail("a", `,"imageTags":["x"]`), "two descriptions of it differ"},
		{"other content", detail("a", "") + fmt.Sprintf(`{"images":[{"imageId":{"imageDigest":%q},"imageManifest":%q}]}`, digestOf("a"), manifest), "its content has another digest"},
		{"manifests alone", fmt.Sprintf(`{"images":[{"imageId":{"imageDigest":%q},"imageManifest":%q}]}`, digest.FromString(manifest), manifest), "use the output of aws ecr describe-images"},
		{"tags twice", `{"imageDetails":[` + detail("a", `,"imageTags":["prod"],"imageTags":[]`) + `]}`, `imageDetails[0]: "imageTags" appears twice in one object`},
		{"tags twice in two cases", detail("a", `,"imageTags":["prod"],"ImageTags":[]`), `"ImageTags" appears twice in one object`},
		{"images twice", `{"imageDetails":[` + detail("a", "") + `],"imageDetails":[]}`, `"imageDetails" appears twice in one object`},
		{"children twice", detail("a", "") + fmt.Sprintf(`{"imageId":{"imageDigest":%q},"imageManifest":%q}`, digest.FromString(twice), twice), `"manifests" appears twice in one object`},
		{"manifest", detail("a", "") + fmt.Sprintf(`{"imageId":{"imageDigest":%q},"imageManifest":"x"}`, digest.FromString("x")), "manifest sha256:"},
	} {
		t.Run(x.name, func(t *testing.T) {
			if _, err := readText(x.text); err == nil || !strings.Contains(err.Error(), x.want) {
				t.Errorf("got %v, want %s", err, x.want)
			}
		})
	}
}

// TestReadManifests lets manifests tell what describe-images does not.
func TestReadManifests(t *testing.T) {
	image := fmt.Sprintf(`{"mediaType":%q,"config":{"digest":%q,"size":1},"layers":[{"digest":%q,"size":20},{"mediaType":"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip","digest":%q,"size":4000}],"subject":{"digest":%q}}`,
		ocispec.MediaTypeImageManifest, digestOf("c"), digestOf("d"), digestOf("e"), digestOf("f"))
	index := fmt.Sprintf(`{"manifests":[{"digest":%q}]}`, digest.FromString(image))
	list := func(text, mediaType string) string {
		return fmt.Sprintf(`{"imageDigest":%q,"imagePushedAt":1,"imageManifestMediaType":%q}`, digest.FromString(text), mediaType)
	}
	content := func(text, mediaType string) string {
		return fmt.Sprintf(`{"imageId":{"imageDigest":%q,"imageTag":"x"},"imageManifest":%q,"imageManifestMediaType":%q}`, digest.FromString(text), text, mediaType)
	}
	inventory, err := readText(
		`{"images":[`+content(image, "")+","+content(index, ocispec.MediaTypeImageIndex)+`],"failures":[]}`,
		list(index, ocispec.MediaTypeImageIndex)+list(image, ocispec.MediaTypeImageManifest))
	if err != nil {
		t.Fatal(err)
	}
	if i := inventory.Images[0]; len(i.Children) != 1 || i.Children[0] != digest.FromString(image) || i.ManifestSize != int64(len(index)) || i.Blobs != nil {
		t.Errorf("the index is %+v", i)
	}
	if i := inventory.Images[1]; i.Subject != digestOf("f") || len(i.Blobs) != 2 || i.Blobs[1] != (Blob{digestOf("d"), 20}) || i.Children != nil {
		t.Errorf("the image is %+v", i)
	}
	described := Image{Digest: digest.FromString(index), MediaType: ocispec.MediaTypeImageIndex}
	if err := described.AddManifest([]byte(index)); err != nil || len(described.Children) != 1 {
		t.Errorf("described: %+v, %v", described, err)
	}
	if err := described.AddManifest([]byte(image)); err == nil {
		t.Error("an image is described by the manifest of another")
	}
}
