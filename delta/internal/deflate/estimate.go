package deflate

import (
	"cmp"
	"io"
	"slices"

	"golang.org/x/sync/errgroup"
)

// rounds are how much plaintext is described to compare encoders, in bytes, and how many of the best go on
// to the next round.
var rounds = []struct {
	sample int64
	keep   int
}{{32 << 10, 8}, {256 << 10, 2}, {3 << 20, 1}}

// segments is how many segments are described to see how much of the one before they refer to, at most maxSegments bytes.
const segments, maxSegments = 3, 4 << 20

// modelsAtOnce is how many models are tried at once: each has a window.
const modelsAtOnce = 4

// Estimate returns the encoder whose model describes the beginning of a stream best. open opens the stream
// at its beginning; it is called concurrently.
func Estimate(open func() (io.ReadCloser, error), s Survey) (Encoder, error) {
	var candidates []Encoder
	for _, name := range Models() {
		candidates = append(candidates, Encoder{Model: name, Segment: s.segment()})
	}
	for _, round := range rounds {
		if len(candidates) == 1 {
			break
		}
		ranked, err := rank(open, s, candidates, round.sample)
		if err != nil {
			return Encoder{}, err
		}
		candidates = nil
		for _, r := range ranked[:min(round.keep, len(ranked))] {
			if r.size <= ranked[0].size*11/10+16 { // the others are of another family
				candidates = append(candidates, r.encoder)
			}
		}
	}
	if s.segment() == 0 {
		return candidates[0], nil
	}
	var dictionaries []Encoder
	for _, dictionary := range []int64{0, 16 << 10, 32 << 10} {
		e := candidates[0]
		e.Dictionary = dictionary
		dictionaries = append(dictionaries, e)
	}
	ranked, err := rank(open, s, dictionaries, min(segments*s.segment(), maxSegments))
	if err != nil {
		return Encoder{}, err
	}
	return ranked[0].encoder, nil
}

// segment is the size of segments that the flushes suggest, 0 if none.
func (s Survey) segment() int64 {
	if s.Flush >= 1<<10 {
		return s.Flush
	}
	return 0
}

// rank sorts encoders by the size of what they cannot predict of the first bytes of plaintext.
func rank(open func() (io.ReadCloser, error), s Survey, encoders []Encoder, sample int64) (all []ranked, err error) {
	all = make([]ranked, len(encoders))
	var group errgroup.Group
	group.SetLimit(modelsAtOnce)
	for i, e := range encoders {
		group.Go(func() error {
			in, err := open()
			if err != nil {
				return err
			}
			defer in.Close() // opened for reading
			result, err := Describe(in, s, e, io.Discard, sample)
			all[i] = ranked{e, result.Size}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	slices.SortStableFunc(all, func(a, b ranked) int { return cmp.Compare(a.size, b.size) })
	return all, nil
}

// ranked is an encoder with the size of its description.
type ranked struct {
	encoder Encoder
	size    int64
}
