package transfer

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// batchTarget is a target that is asked about four blobs at once, and notes what it was asked.
type batchTarget struct {
	content.Target
	has   string // one letter a blob
	asked []string
}

func (t *batchTarget) BlobsAtOnce() int { return 4 }

func (t *batchTarget) MissingBlobs(_ context.Context, blobs []content.Descriptor) ([]content.Descriptor, error) {
	asked := letters(blobs)
	t.asked = append(t.asked, asked)
	return slices.DeleteFunc(slices.Clone(blobs), func(d content.Descriptor) bool { return strings.Contains(t.has, string(d.Digest)) }), nil
}

// blobsOf returns one descriptor for each letter.
func blobsOf(letters string) (blobs []content.Descriptor) {
	for _, letter := range letters {
		blobs = append(blobs, content.Descriptor{Digest: digest.Digest(letter)})
	}
	return blobs
}

func letters(blobs []content.Descriptor) (text string) {
	for _, d := range blobs {
		text += string(d.Digest)
	}
	return text
}

// checkInOrder copies images, each of which is a blob a letter, one after the other; the copy of failing fails. It returns what was
// found to be missing.
func checkInOrder(t *testing.T, target content.Target, images []string, failing string) (missing []string) {
	t.Helper()
	n, at := 0, 0 // the image that is copied, and the next one to look at
	checks := NewBlobChecks(func(context.Context) ([]content.Descriptor, bool) {
		if at = max(at, n+1); at >= len(images) {
			return nil, false
		}
		at++
		return blobsOf(images[at-1]), true
	})
	for i, image := range images {
		n = i
		found, err := checks.missing(t.Context(), target, blobsOf(image))
		if err != nil {
			t.Fatal(err)
		}
		missing = append(missing, letters(found))
		if image == failing {
			err = errors.New("a layer is gone")
		}
		checks.settle(blobsOf(image), err)
	}
	return missing
}

func TestBlobChecks(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		has            string
		images         []string
		failing        string
		asked, missing []string
	}{
		"one image":            {images: []string{"abc"}, asked: []string{"abc"}, missing: []string{"abc"}},
		"shared layers":        {images: []string{"ab", "ac", "ad", "ae"}, asked: []string{"abcd", "e"}, missing: []string{"ab", "c", "d", "e"}},
		"layers of the target": {has: "ad", images: []string{"ab", "ac", "ad"}, asked: []string{"abcd"}, missing: []string{"b", "c", ""}},
		"more than a request":  {images: []string{"abcde", "fghijk"}, asked: []string{"abcdefgh", "ijk"}, missing: []string{"abcde", "fghijk"}},
		"a full request":       {images: []string{"abcd", "ae"}, asked: []string{"abcd", "e"}, missing: []string{"abcd", "e"}},
		"no blobs":             {images: []string{"", "a"}, asked: []string{"a"}, missing: []string{"", "a"}},
		// What was answered before the failure may be wrong.
		"a failure": {has: "abc", images: []string{"ab", "bc", "c"}, failing: "ab", asked: []string{"abc", "bc"}, missing: []string{"", "", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := &batchTarget{has: test.has}
			missing := checkInOrder(t, target, test.images, test.failing)
			if !slices.Equal(target.asked, test.asked) || !slices.Equal(missing, test.missing) {
				t.Errorf("asked %q, missing %q, want %q and %q", target.asked, missing, test.asked, test.missing)
			}
		})
	}
}

// TestBlobChecksOneByOne asks a target that is not asked about many blobs at once about those of each image.
func TestBlobChecksOneByOne(t *testing.T) {
	t.Parallel()
	all := &batchTarget{has: "a"}
	checkInOrder(t, struct{ content.Target }{all}, []string{"ab", "ac"}, "")
	if want := []string{"ab", "ac"}; !slices.Equal(all.asked, want) {
		t.Errorf("asked %q, want %q", all.asked, want)
	}
}

// TestBlobChecksForget does not remember more and more answers.
func TestBlobChecksForget(t *testing.T) {
	t.Parallel()
	checks := NewBlobChecks(func(context.Context) ([]content.Descriptor, bool) { return nil, false })
	target := &batchTarget{}
	for i := range rune(3 * maxAnswers) {
		if _, err := checks.missing(t.Context(), target, blobsOf(string([]rune{'a', 0x10000 + i}))); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(checks.there); n > maxAnswers+2 {
		t.Errorf("%d answers are remembered", n)
	}
}
