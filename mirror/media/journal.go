package media

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// journal notes what an export has written, for a later process that resumes it: a line for the plan, one
// for each span of a blob and one for each complete blob. It is a hint: all that it says is checked when
// the set is sealed.
type journal struct {
	mu    sync.Mutex
	file  *os.File
	spans map[digest.Digest][]content.Span
	done  map[digest.Digest]bool
	// claimed are the blobs that somebody writes in this process.
	claimed map[digest.Digest]bool
}

// openJournal opens the journal at path, and empties it if it is of another plan.
func openJournal(path string, id digest.Digest, partSize int64) (*journal, error) {
	f, err := files.OpenOwn(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	j := &journal{file: f, spans: map[digest.Digest][]content.Span{}, done: map[digest.Digest]bool{}, claimed: map[digest.Digest]bool{}}
	title := journalTitle(id, partSize)
	if j.read(title) {
		return j, nil
	}
	clear(j.spans)
	clear(j.done)
	if err = f.Truncate(0); err == nil {
		_, err = fmt.Fprintln(f, title)
	}
	if err != nil {
		_ = f.Close() // the first error counts
		return nil, err
	}
	return j, nil
}

// journalTitle is the first line of the journal of a plan.
func journalTitle(id digest.Digest, partSize int64) string {
	return fmt.Sprintf("ecrkit mirror export %s %d", id, partSize)
}

// read reads the lines; a last one that is torn does not count, and is ended. It reports whether the
// journal has the title.
func (j *journal) read(title string) bool {
	in := bufio.NewReader(j.file)
	line, err := in.ReadString('\n')
	if err != nil || line != title+"\n" {
		return false
	}
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			if len(line) > 0 {
				_, err = fmt.Fprintln(j.file) // the next record begins a line of its own
				return err == nil
			}
			return true
		}
		var d string
		var s content.Span
		switch kind, rest, _ := strings.Cut(string(bytes.TrimSpace(line)), " "); kind {
		case "done":
			j.done[digest.Digest(rest)] = true
		case "span":
			if n, _ := fmt.Sscanf(rest, "%s %d %d", &d, &s.First, &s.Length); n == 3 {
				j.spans[digest.Digest(d)] = append(j.spans[digest.Digest(d)], s)
			}
		}
	}
}

func (j *journal) add(format string, args ...any) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	_, err := fmt.Fprintf(j.file, format+"\n", args...)
	return err
}

// finish notes that a blob is complete.
func (j *journal) finish(d digest.Digest) error {
	if err := j.add("done %s", d); err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.done[d] = true
	return nil
}

func (j *journal) isDone(d digest.Digest) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.done[d]
}

// claim reports whether the caller is to write a blob: it is not complete, and nobody has claimed it.
func (j *journal) claim(d digest.Digest) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.done[d] || j.claimed[d] {
		return false
	}
	j.claimed[d] = true
	return true
}

// forget has a blob written again.
func (j *journal) forget(d digest.Digest) {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.done, d)
	delete(j.spans, d)
}

// spansOf returns the spans of a blob of size bytes in their order, without those that overlap.
func (j *journal) spansOf(d digest.Digest, size int64) (spans []content.Span) {
	j.mu.Lock()
	defer j.mu.Unlock()
	sorted := slices.Clone(j.spans[d])
	slices.SortFunc(sorted, func(a, b content.Span) int { return cmp.Compare(a.First, b.First) })
	at := int64(0)
	for _, s := range sorted {
		if s.First >= at && s.Length > 0 && s.Length <= size-s.First {
			spans = append(spans, s)
			at = s.End()
		}
	}
	return spans
}
