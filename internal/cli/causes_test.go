package cli

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/mirror"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// TestCauses groups errors that differ only in the names of images, and no others.
func TestCauses(t *testing.T) {
	d := func(i int) digest.Digest { return digest.FromString(fmt.Sprint(i)) }
	one := func(i int, format string, args ...any) error {
		return &mirror.CopyError{
			From: fmt.Sprintf("a.example/web%d@%s", i, d(i)), To: fmt.Sprintf("b.example:5000/copy/web%d", i),
			Err: fmt.Errorf(format, args...),
		}
	}
	denied := "b.example:5000/copy/web%d: blob %s: at byte %d: PUT http://b.example:5000/v2/copy/web%d/blobs/uploads/%08d-0000-0000-0000-000000000000: %d"
	several := errors.Join(
		one(1, denied, 1, d(1), 1234, 1, 1, 403), errors.Join(one(2, denied, 2, d(2), 0, 2, 2, 403), one(3, denied, 3, d(3), 0, 3, 3, 404)),
		partlyError{errors.Join(one(4, denied, 4, d(4), 0, 4, 4, 403), errors.New("another"))},
		one(5, "image %s (tag v5) of repository copy/web5: no more before 2026-12-01T04:51:57Z", d(5)),
		one(6, "image %s (tag v6) of repository copy/web6: no more before 2026-12-01T04:52:03Z", d(6)),
		&content.ConflictError{Image: "b.example/web:1", Have: d(1), Want: d(2), Kept: true},
		&content.ConflictError{Image: "b.example/web:2", Have: d(1), Want: d(2)},
		&content.ConflictError{Image: "b.example/web:3", Have: d(1), Want: d(2), Kept: true},
		errors.New("another"),
	)
	var got []string
	for _, cause := range causesOf(flat(joined(several))) {
		got = append(got, fmt.Sprint(len(cause.errs)))
	}
	if got := strings.Join(got, " "); got != "3 1 1 2 2 1 1" {
		t.Errorf("groups of %s", got)
	}
}
