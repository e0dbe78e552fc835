package lifecycle

import (
	"math"

	"github.com/opencontainers/go-digest"
)

// Summary is the totals of an evaluation. Its JSON form is stable: fields are only
// added.
type Summary struct {
	Images     int `json:"images"`
	Keep       int `json:"keep"`
	Expire     int `json:"expire"`
	Transition int `json:"transition"`
	// ExpireBytes is the storage that expired images free, TransitionBytes the storage that
	// moves to the archive.
	ExpireBytes     StorageSize `json:"expireBytes"`
	TransitionBytes StorageSize `json:"transitionBytes"`
	// Later is how many images are kept only by indexes that go now: a later run is
	// free to act on them.
	Later int `json:"later"`
	// UnknownIndexes is how many indexes there are of which it is not known what they
	// list. Images that they list are then taken for images as any other: those that
	// Amazon ECR acts on are all among the results, but not all results are such.
	UnknownIndexes int `json:"unknownIndexes"`
}

// StorageSize is an amount of storage.
type StorageSize struct {
	Bytes int64 `json:"bytes"`
	// SharedOnce is set if the layers of all images are known: each was counted once, and
	// those that a kept image shares not at all. Otherwise Bytes is the sum of the sizes of the
	// images, which is more than is freed if they share layers.
	SharedOnce bool `json:"sharedOnce"`
}

// Summary returns the totals of the evaluation.
func (e Evaluation) Summary() Summary {
	s := Summary{Images: len(e.images), ExpireBytes: e.bytes(Expire), TransitionBytes: e.bytes(Transition)}
	kept := make(map[digest.Digest]bool) // by an index that stays
	for i, v := range e.Verdicts {
		image := &e.images[i]
		switch v.Outcome {
		case Expire:
			s.Expire++
		case Transition:
			s.Transition++
		default:
			s.Keep++
			if image.Status != StatusArchived {
				for _, child := range image.Children {
					if child != image.Digest {
						kept[child] = true
					}
				}
			}
		}
		if image.IsIndex() && image.Children == nil && image.Status != StatusArchived {
			s.UnknownIndexes++
		}
	}
	for i, v := range e.Verdicts {
		if v.ListedBy != "" && !kept[e.images[i].Digest] {
			s.Later++
		}
	}
	return s
}

// bytes is the storage of the images with an outcome.
func (e Evaluation) bytes(outcome Outcome) StorageSize {
	var sum StorageSize
	known := true
	for i := range e.images {
		known = known && (e.images[i].Blobs != nil || e.images[i].IsIndex() && e.images[i].Children != nil)
	}
	if !known {
		for i, v := range e.Verdicts {
			if v.Outcome == outcome && !e.images[i].IsIndex() { // the size of an index is that of an image of it
				sum.add(e.images[i].Size)
			}
		}
		return sum
	}
	sum.SharedOnce = true
	counted := make(map[digest.Digest]bool)
	for i, v := range e.Verdicts {
		if v.Outcome != outcome {
			for _, b := range e.images[i].Blobs {
				counted[b.Digest] = true
			}
		}
	}
	for i, v := range e.Verdicts {
		if v.Outcome != outcome {
			continue
		}
		sum.add(e.images[i].ManifestSize)
		for _, b := range e.images[i].Blobs {
			if !counted[b.Digest] {
				counted[b.Digest] = true
				sum.add(b.Size)
			}
		}
	}
	return sum
}

// add never overflows: sizes come from others.
func (b *StorageSize) add(n int64) {
	if b.Bytes > math.MaxInt64-n {
		b.Bytes = math.MaxInt64
		return
	}
	b.Bytes += n
}

// Difference is what changes if a policy replaces another. Images are given by their
// index.
type Difference struct {
	Expired    []int // expire with the new policy only
	Saved      []int // expire with the old policy only
	Archived   []int // go to the archive with the new policy only
	Unarchived []int // go to the archive with the old policy only
	// OldBytes and NewBytes are what the images that expire leave free.
	OldBytes, NewBytes StorageSize
}

// Diff compares two evaluations of the same images at the same time.
func Diff(old, new Evaluation) Difference {
	d := Difference{OldBytes: old.bytes(Expire), NewBytes: new.bytes(Expire)}
	for i := range min(len(old.Verdicts), len(new.Verdicts)) {
		before, after := old.Verdicts[i].Outcome, new.Verdicts[i].Outcome
		if before == after {
			continue
		}
		for _, list := range []struct {
			of      Outcome
			outcome Outcome
			images  *[]int
		}{{after, Expire, &d.Expired}, {before, Expire, &d.Saved}, {after, Transition, &d.Archived}, {before, Transition, &d.Unarchived}} {
			if list.of == list.outcome {
				*list.images = append(*list.images, i)
			}
		}
	}
	return d
}
