package media

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"hash"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/internal/jsonlist"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// annotationDeltas is the annotation of index.json with the number of layers that have a delta instead.
const annotationDeltas = "dev.ecrkit.set.deltas"

// indexEntry is an entry of index.json: an image under one of its tags, or without one.
type indexEntry struct {
	image int32 // of the images
	tag   int32 // of its tags; -1 if it has none
}

// name is the name of an entry, "" if it has none.
func (e indexEntry) name(images []Image) string {
	if e.tag < 0 {
		return ""
	}
	return images[e.image].Repository + ":" + images[e.image].Tags[e.tag]
}

// pieces are the name and the digest of an entry, which it is sorted by, not joined.
func (e indexEntry) pieces(images []Image) [4]string {
	image := &images[e.image]
	if e.tag < 0 {
		return [4]string{3: string(image.Digest)}
	}
	return [4]string{image.Repository, ":", image.Tags[e.tag], string(image.Digest)}
}

// compareJoined compares two texts that are in pieces.
func compareJoined(a, b [4]string) int {
	i, k := 0, 0
	for {
		for i < len(a) && a[i] == "" {
			i++
		}
		for k < len(b) && b[k] == "" {
			k++
		}
		if i == len(a) || k == len(b) {
			return ended(k == len(b)) - ended(i == len(a))
		}
		n := min(len(a[i]), len(b[k]))
		if c := strings.Compare(a[i][:n], b[k][:n]); c != 0 {
			return c
		}
		a[i], b[k] = a[i][n:], b[k][n:]
	}
}

// ended is 1 for true.
func ended(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// writeIndex writes index.json: an entry for each tag, by the whole name, and one for what has none. Images that the set does not
// have are not in it.
func writeIndex(w io.Writer, images []Image, deltas int) error {
	return writeEntries(w, images, deltas, func(i Image) bool { return !i.leftOut() })
}

// writeIdentity writes what the ID of a set is of behind the headers: index.json, and the same of the images that the set
// does not have.
func writeIdentity(w io.Writer, images []Image, deltas int) error {
	err := writeIndex(w, images, deltas)
	if err == nil && slices.ContainsFunc(images, Image.leftOut) {
		err = writeEntries(w, images, 0, Image.leftOut)
	}
	return err
}

// writeEntries writes an index of those images that are wanted. Not more than an entry is held in memory.
func writeEntries(w io.Writer, images []Image, deltas int, wanted func(Image) bool) error {
	entries := make([]indexEntry, 0, len(images))
	untagged := map[digest.Digest]bool{}
	for i, image := range images {
		if !wanted(image) {
			continue
		}
		if len(image.Tags) == 0 && !untagged[image.Digest] {
			untagged[image.Digest] = true
			entries = append(entries, indexEntry{int32(i), -1})
		}
		for k := range image.Tags {
			entries = append(entries, indexEntry{int32(i), int32(k)})
		}
	}
	slices.SortStableFunc(entries, func(a, b indexEntry) int { return compareJoined(a.pieces(images), b.pieces(images)) })
	index := ocispec.Index{MediaType: ocispec.MediaTypeImageIndex, Manifests: []content.Descriptor{}}
	index.SchemaVersion = 2
	if deltas > 0 { // so that who opens the layout with another tool sees why layers are missing
		index.Annotations = map[string]string{annotationDeltas: strconv.Itoa(deltas)}
	}
	frame, err := json.Marshal(index)
	if err != nil {
		return err
	}
	return jsonlist.Write(w, frame, `"manifests":[`, "", "", len(entries), func(i int) ([]byte, error) {
		d := images[entries[i].image].descriptor()
		if name := entries[i].name(images); name != "" {
			d.Annotations = map[string]string{ocispec.AnnotationRefName: name}
		}
		return json.Marshal(d)
	})
}

// newIndexFile returns index.json as a member.
func newIndexFile(images []Image, deltas int) (*member, error) {
	return newWrittenFile(ocispec.ImageIndexFile, func(w io.Writer) error { return writeIndex(w, images, deltas) })
}

// contentSum compares contents without keeping them.
type contentSum struct {
	hash hash.Hash
	size int64
}

func newSum() contentSum { return contentSum{hash: sha256.New()} }

func (s *contentSum) digest() digest.Digest { return digest.NewDigest(digest.SHA256, s.hash) }

func (s *contentSum) Write(p []byte) (int, error) {
	s.size += int64(len(p))
	return s.hash.Write(p)
}

func (s *contentSum) equal(other contentSum) bool {
	return s.size == other.size && bytes.Equal(s.hash.Sum(nil), other.hash.Sum(nil))
}
