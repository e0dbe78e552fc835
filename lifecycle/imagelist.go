package lifecycle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/strictjson"
)

// Limits of ReadImages. Amazon ECR allows 100,000 images in a
// repository, 1,000 tags on one, and manifests of 4 MiB.
const (
	maxListBytes = 512 << 20 // of one reader
	maxTags      = 1_000
	maxTagLength = 300
)

// ErrChanged is wrapped by the error about a list that was made while the repository changed.
var ErrChanged = errors.New("the list was made while the repository changed")

// Inventory is the list of the images of a repository.
type Inventory struct {
	RegistryID string // the account; "" if it is unknown
	Repository string // "" if it is unknown
	Images     []Image
}

// ReadImages reads the images of one repository from JSON texts: the output of `aws
// ecr describe-images`, pages of it one after the other, or a list of either pages
// or images; and between them or in another text, in any order, the output of `aws
// ecr batch-get-image`, which has the images of indexes and the layers that images share.
// Times are text or seconds since 1970. It is an error if a manifest does not have its
// digest, if the images are of two repositories, or if two descriptions of one image
// differ.
func ReadImages(texts ...io.Reader) (Inventory, error) {
	l := imageList{number: make(map[digest.Digest]int)}
	for _, text := range texts {
		if err := l.read(text); err != nil {
			return Inventory{}, err
		}
	}
	if !l.described {
		return Inventory{}, errors.New("there are no images: use the output of aws ecr describe-images")
	}
	for _, m := range l.manifests {
		if i, ok := l.number[m.digest]; ok {
			m.describe(&l.Images[i])
		}
	}
	return l.Inventory, nil
}

type imageList struct {
	Inventory
	described bool // by describe-images, if only as none
	number    map[digest.Digest]int
	manifests []manifest
}

func (l *imageList) read(text io.Reader) error {
	bounded := &io.LimitedReader{R: text, N: maxListBytes}
	d := json.NewDecoder(bounded)
	for n := 1; ; n++ {
		var document json.RawMessage
		err := d.Decode(&document)
		switch {
		case errors.Is(err, io.EOF) && n > 1:
			return nil
		case bounded.N == 0:
			return fmt.Errorf("the list of images is longer than %d MiB", maxListBytes>>20)
		case errors.Is(err, io.EOF):
			return errors.New("the list of images is empty")
		case err != nil:
			return fmt.Errorf("the list of images is not JSON: %w", err)
		}
		if err := l.add(document); err != nil {
			return err
		}
	}
}

// add reads one document: a page, an image, or a list of either.
func (l *imageList) add(document json.RawMessage) error {
	if !bytes.HasPrefix(bytes.TrimLeft(document, " \t\r\n"), []byte("[")) {
		return l.object(document)
	}
	var items []json.RawMessage
	if err := json.Unmarshal(document, &items); err != nil {
		return err
	}
	l.described = l.described || len(items) == 0
	for _, item := range items {
		if err := l.object(item); err != nil {
			return err
		}
	}
	return nil
}

// listObject is any object of the list: a page, or one entry of a page.
type listObject struct {
	ImageDetails *[]imageEntry `json:"imageDetails"`
	Images       *[]imageEntry `json:"images"`
	imageEntry
}

func (l *imageList) object(document json.RawMessage) error {
	var o listObject
	if err := strictjson.Unmarshal(document, &o); err != nil {
		return fmt.Errorf("the list of images: %w", err)
	}
	switch {
	case o.ImageDetails != nil:
		l.described = true
		for _, d := range *o.ImageDetails {
			if err := l.detail(d); err != nil {
				return err
			}
		}
	case o.Images != nil:
		for _, c := range *o.Images {
			if err := l.content(c); err != nil {
				return err
			}
		}
	case o.ImageDigest != "":
		l.described = true
		return l.detail(o.imageEntry)
	case o.ImageManifest != "":
		return l.content(o.imageEntry)
	default:
		return errors.New("the list of images has an object that is the output of neither aws ecr describe-images nor batch-get-image")
	}
	return nil
}

// imageEntry is one image of describe-images or of batch-get-image.
type imageEntry struct {
	RegistryID             string `json:"registryId"`
	RepositoryName         string `json:"repositoryName"`
	ImageManifestMediaType string `json:"imageManifestMediaType"`

	// Of describe-images.
	ImageDigest           string    `json:"imageDigest"`
	ImageTags             []string  `json:"imageTags"`
	ImageSizeInBytes      int64     `json:"imageSizeInBytes"`
	ImagePushedAt         timestamp `json:"imagePushedAt"`
	ImageStatus           Status    `json:"imageStatus"`
	LastRecordedPullTime  timestamp `json:"lastRecordedPullTime"`
	LastActivatedAt       timestamp `json:"lastActivatedAt"`
	LastArchivedAt        timestamp `json:"lastArchivedAt"`
	SubjectManifestDigest string    `json:"subjectManifestDigest"`

	// Of batch-get-image.
	ImageID struct {
		ImageDigest string `json:"imageDigest"`
	} `json:"imageId"`
	ImageManifest string `json:"imageManifest"`
}

func (l *imageList) detail(d imageEntry) error {
	id, err := parseDigest(d.ImageDigest)
	if err != nil {
		return fmt.Errorf("imageDigest: %w", err)
	}
	fail := func(format string, args ...any) error {
		return fmt.Errorf("image %s: %w", id, fmt.Errorf(format, args...))
	}
	if err := l.same(d.RegistryID, d.RepositoryName); err != nil {
		return fail("%w", err)
	}
	image := Image{
		Digest: id, Tags: d.ImageTags, MediaType: d.ImageManifestMediaType, Status: d.ImageStatus, Size: d.ImageSizeInBytes,
		PushedAt: d.ImagePushedAt.Time, LastPulledAt: d.LastRecordedPullTime.Time,
		LastActivatedAt: d.LastActivatedAt.Time, LastArchivedAt: d.LastArchivedAt.Time,
	}
	if d.SubjectManifestDigest != "" {
		if image.Subject, err = parseDigest(d.SubjectManifestDigest); err != nil {
			return fail("subjectManifestDigest: %w", err)
		}
	}
	switch {
	case image.PushedAt.IsZero():
		return fail("imagePushedAt is missing")
	case image.Size < 0:
		return fail("imageSizeInBytes is less than 0")
	case len(image.Tags) > maxTags:
		return fail("it has more than %d tags", maxTags)
	case slices.ContainsFunc(image.Tags, func(tag string) bool { return tag == "" || len(tag) > maxTagLength }):
		return fail("it has a tag that is empty or too long")
	}
	switch image.Status {
	case "":
		image.Status = StatusActive
	case StatusActive, StatusArchived, StatusActivating:
	default:
		return fail("imageStatus %.64q is unknown", image.Status)
	}
	if image.Status == StatusArchived && image.LastArchivedAt.IsZero() {
		return fail("lastArchivedAt is missing")
	}
	if i, ok := l.number[id]; ok {
		if !reflect.DeepEqual(l.Images[i], image) {
			return fail("two descriptions of it differ: %w", ErrChanged)
		}
		return nil
	}
	l.number[id] = len(l.Images)
	l.Images = append(l.Images, image)
	return nil
}

// same checks that all is about one repository: rules count the images of one.
func (l *imageList) same(registryID, repository string) error {
	if l.RegistryID != "" && registryID != "" && registryID != l.RegistryID {
		return fmt.Errorf("it is in the registry %.64q, others are in %.64q; a policy is for one repository", registryID, l.RegistryID)
	}
	if l.Repository != "" && repository != "" && repository != l.Repository {
		return fmt.Errorf("it is in the repository %.256q, others are in %.256q; a policy is for one repository", repository, l.Repository)
	}
	if registryID != "" {
		l.RegistryID = registryID
	}
	if repository != "" {
		l.Repository = repository
	}
	return nil
}

func parseDigest(s string) (digest.Digest, error) {
	d := digest.Digest(s)
	if d.Validate() != nil || d.Algorithm() != digest.SHA256 {
		return "", fmt.Errorf("%.80q is not a sha256 digest", s)
	}
	return d, nil
}

// timestamp is a time as the AWS CLI writes it: ISO 8601 text, or seconds since 1970.
type timestamp struct{ time.Time }

func (t *timestamp) UnmarshalJSON(text []byte) error {
	s := string(text)
	if s == "null" {
		return nil
	}
	if strings.HasPrefix(s, `"`) {
		if err := json.Unmarshal(text, &s); err != nil {
			return err
		}
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999-0700", time.DateOnly} {
			if parsed, err := time.Parse(layout, s); err == nil && inRange(parsed) {
				t.Time = parsed.UTC()
				return nil
			}
		}
		return fmt.Errorf("%.80q is not a time; 2026-01-31T12:00:00Z is one", s)
	}
	seconds, err := strconv.ParseFloat(s, 64)
	if err != nil || seconds < 0 || seconds > 253_402_300_799 { // the year 9999
		return fmt.Errorf("%.80s is not a time in seconds since 1970", s)
	}
	t.Time = time.UnixMicro(int64(seconds * 1e6)).UTC()
	return nil
}

// inRange keeps to years with four digits, after the zero time.
func inRange(t time.Time) bool { return t.Year() >= 1970 && t.Year() <= 9999 }
