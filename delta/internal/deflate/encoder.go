package deflate

import (
	"fmt"
	"slices"
	"strings"
)

// model predicts the tokens of an encoder.
type model interface {
	// reset begins with an empty memory at start. Matches reach back to first, and the input ends at end.
	reset(first, start, end int64)
	// predict returns the token at pos.
	predict(pos int64) Token
	// accept notes the token that is at pos, after predict.
	accept(pos int64, t Token)
}

// Encoder names a model of an encoder, and how its input is cut into segments that are compressed
// independently.
type Encoder struct {
	// Model is one of [Models].
	Model string `json:"model"`
	// Segment is the size of the segments in bytes; 0 is one for each gzip member.
	Segment int64 `json:"segment,omitempty"`
	// Dictionary is how much of the segment before may be matched, in bytes.
	Dictionary int64 `json:"dictionary,omitempty"`
}

func (e Encoder) String() string {
	if e.Segment == 0 {
		return e.Model
	}
	return fmt.Sprintf("%s in segments of %d bytes", e.Model, e.Segment)
}

// check returns an error if the encoder cannot be one.
func (e Encoder) check() error {
	if !slices.Contains(Models(), e.Model) {
		return fmt.Errorf("%w: the model %q is unknown", ErrDescription, e.Model)
	}
	if e.Segment != 0 && (e.Segment < 1<<10 || e.Segment > 1<<40) || e.Dictionary < 0 || e.Dictionary > maxDist || e.Segment == 0 && e.Dictionary != 0 {
		return fmt.Errorf("%w: segments of %d bytes with %d of the one before", ErrDescription, e.Segment, e.Dictionary)
	}
	return nil
}

// Models returns the names of the models. A name stands for the same predictions for ever.
func Models() (names []string) {
	names = []string{"klauspost-5", "klauspost-5-old", "go-1"}
	for level := 1; level <= 9; level++ {
		names = append(names, fmt.Sprintf("zlib-%d", level))
	}
	for level := 2; level <= 9; level++ {
		names = append(names, fmt.Sprintf("go-%d", level))
	}
	return names
}

func (e Encoder) model(w *window) model {
	family, level, _ := strings.Cut(e.Model, "-")
	switch {
	case e.Model == "klauspost-5":
		return newChunks(w, klauspostRules(true))
	case e.Model == "klauspost-5-old":
		return newChunks(w, klauspostRules(false))
	case e.Model == "go-1":
		return newChunks(w, goFastRules())
	case family == "zlib":
		return newChains(w, zlibRules(int(level[0]-'0')))
	default:
		return newChains(w, goRules(int(level[0]-'0')))
	}
}

// inChunks reports whether the encoder's blocks end where chunks of its input do.
func (e Encoder) inChunks() bool {
	return e.Model == "go-1" || strings.HasPrefix(e.Model, "klauspost")
}
