package media

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/jsonlist"
	"github.com/ecrkit/ecrkit/internal/strictjson"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// The versions of set.json. Version 1 is of sets with all manifests, and has an object for each need. Without manifests, needs are
// many, and grouped.
const (
	withManifests    = 1
	withoutManifests = 2
)

func versionOf(needs []RequiredBlob) int {
	if slices.ContainsFunc(needs, func(n RequiredBlob) bool { return n.Manifest }) {
		return withoutManifests
	}
	return withManifests
}

// description is what set.json has.
type description struct {
	Set
	Needs []needGroup `json:"needs,omitempty"`
}

// needGroup is what one repository needs of what one set has carried; or, as [Set] has it and version 1 of the file, one blob.
type needGroup struct {
	Name string        `json:"name"`
	Set  digest.Digest `json:"set,omitempty"`
	From string        `json:"from,omitempty"`
	// Blobs and Manifests are their sizes, in bytes.
	Blobs     map[digest.Digest]int64 `json:"blobs,omitempty"`
	Manifests map[digest.Digest]int64 `json:"manifests,omitempty"`

	Digest   digest.Digest `json:"digest,omitempty"`
	Size     int64         `json:"size,omitempty"`
	Manifest bool          `json:"manifest,omitempty"`
}

// grouped returns needs as groups, in the order of their first ones.
func grouped(needs []RequiredBlob) (groups []needGroup) {
	places := map[needGroupKey]int{}
	for _, n := range needs {
		key := needGroupKey{n.Name, n.Set, n.From}
		i, known := places[key]
		if !known {
			i = len(groups)
			places[key] = i
			groups = append(groups, needGroup{Name: n.Name, Set: n.Set, From: n.From, Blobs: map[digest.Digest]int64{}, Manifests: map[digest.Digest]int64{}})
		}
		if n.Manifest {
			groups[i].Manifests[n.Digest] = n.Size
		} else {
			groups[i].Blobs[n.Digest] = n.Size
		}
	}
	return groups
}

// needGroupKey is what the needs of a group have in common.
type needGroupKey struct {
	name string
	set  digest.Digest
	from string
}

// ungrouped returns the needs of groups, in the order of a set.
func ungrouped(groups []needGroup) (needs []RequiredBlob) {
	for _, g := range groups {
		need := RequiredBlob{Name: g.Name, Set: g.Set, From: g.From, Digest: g.Digest, Size: g.Size, Manifest: g.Manifest}
		if g.Blobs == nil && g.Manifests == nil {
			needs = append(needs, need)
			continue
		}
		need.Manifest = false
		for need.Digest, need.Size = range g.Blobs {
			needs = append(needs, need)
		}
		need.Manifest = true
		for need.Digest, need.Size = range g.Manifests {
			needs = append(needs, need)
		}
	}
	slices.SortFunc(needs, compareNeeds)
	return needs
}

// decodeSet decodes set.json, of a set in a directory or in one file.
func decodeSet(data []byte, inFile bool) (Set, error) {
	var d description
	if err := strictjson.Unmarshal(data, &d); err != nil {
		return Set{}, fmt.Errorf("%w: %w", content.ErrIntegrity, err)
	}
	s := d.Set
	if s.Version < withManifests || s.Version > withoutManifests {
		return Set{}, fmt.Errorf("%w: the set has version %d; this ecrkit reads versions up to %d", content.ErrUnsupported, s.Version, withoutManifests)
	}
	s.Needs = ungrouped(d.Needs)
	if err := s.check(inFile); err != nil {
		return Set{}, fmt.Errorf("%w: %w", content.ErrIntegrity, err)
	}
	return s, nil
}

// encodeTo writes the content of set.json. That of many images is large, so not more than an image is held in memory.
func (s Set) encodeTo(w io.Writer) error {
	images := s.Images
	s.Images = []Image{}
	var head any = s
	if s.Version >= withoutManifests {
		head = description{s, grouped(s.Needs)}
	}
	frame, err := json.MarshalIndent(head, "", "  ")
	if err != nil {
		return err
	}
	return jsonlist.Write(w, append(frame, '\n'), "\n  \"images\": [", "\n    ", "\n  ", len(images), func(i int) ([]byte, error) {
		return json.MarshalIndent(images[i], "    ", "  ")
	})
}
