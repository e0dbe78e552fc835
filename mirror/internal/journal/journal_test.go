package journal

import (
	"io"
	"path/filepath"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestTornLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	d := digest.FromString("x")
	j, err := Open(path, "a")
	check(t, err)
	check(t, j.Finish(d))
	check(t, j.AddSpan(d, content.Span{Length: 10}))
	_, err = io.WriteString(j.file, "done sha256:tor")
	check(t, err)
	check(t, j.Close())
	j, err = Open(path, "a")
	check(t, err)
	if !j.IsDone(d) || j.IsDone("sha256:tor") || len(j.Spans(d, 10)) != 1 || len(j.Spans(d, 9)) != 0 {
		t.Errorf("%+v", j)
	}
	check(t, j.Finish("sha256:b"))
	check(t, j.Close())
	j, err = Open(path, "a")
	check(t, err)
	if !j.IsDone("sha256:b") {
		t.Error("a record after a torn line is lost")
	}
	check(t, j.Close())
	j, err = Open(path, "c")
	check(t, err)
	defer j.Close()
	if j.IsDone(d) {
		t.Error("the journal of another plan was used")
	}
}
