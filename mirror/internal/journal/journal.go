// Package journal notes which blobs of a set of images were written, for a later process that resumes the export.
package journal

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

// Journal is a file with a line for the plan of an export, one for each span of a blob that was written and one for each
// complete blob. It is a hint: whoever resumes by it checks all that it says.
type Journal struct {
	mu    sync.Mutex
	file  *os.File
	title string
	spans map[digest.Digest][]content.Span
	done  map[digest.Digest]bool
	// claimed are the blobs that somebody writes in this process.
	claimed map[digest.Digest]bool
}

// Open opens the journal at path, and empties it if it is of another plan, which title names.
func Open(path, title string) (*Journal, error) {
	f, err := files.OpenOwn(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	j := &Journal{file: f, title: title, spans: map[digest.Digest][]content.Span{}, done: map[digest.Digest]bool{}, claimed: map[digest.Digest]bool{}}
	if j.read() {
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

// Close closes the file, which stays.
func (j *Journal) Close() error { return j.file.Close() }

// read reads the lines; a last one that is torn does not count, and is ended. It reports whether the
// journal has the title.
func (j *Journal) read() bool {
	in := bufio.NewReader(j.file)
	line, err := in.ReadString('\n')
	if err != nil || line != j.title+"\n" {
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

func (j *Journal) add(format string, args ...any) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	_, err := fmt.Fprintf(j.file, format+"\n", args...)
	return err
}

// IsEmpty reports whether the journal notes nothing.
func (j *Journal) IsEmpty() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.done) == 0 && len(j.spans) == 0
}

// HasDone reports whether a blob is complete.
func (j *Journal) HasDone() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.done) > 0
}

// Rewrite leaves in the file at path, that of the journal, only what is still believed of complete blobs.
func (j *Journal) Rewrite(path string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	text := j.title + "\n"
	for d := range j.done {
		text += "done " + string(d) + "\n"
	}
	return files.WriteFile(path, []byte(text), 0o600)
}

// Finish notes that a blob is complete.
func (j *Journal) Finish(d digest.Digest) error {
	if err := j.add("done %s", d); err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.done[d] = true
	return nil
}

// IsDone reports whether a blob is complete.
func (j *Journal) IsDone(d digest.Digest) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.done[d]
}

// Claim reports whether the caller is to write a blob: it is not complete, and nobody has claimed it.
func (j *Journal) Claim(d digest.Digest) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.done[d] || j.claimed[d] {
		return false
	}
	j.claimed[d] = true
	return true
}

// Forget has a blob written again.
func (j *Journal) Forget(d digest.Digest) {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.done, d)
	delete(j.spans, d)
}

// AddSpan notes a span of a blob.
func (j *Journal) AddSpan(d digest.Digest, s content.Span) error {
	return j.add("span %s %d %d", d, s.First, s.Length)
}

// Spans returns the spans of a blob of size bytes in their order, without those that overlap.
func (j *Journal) Spans(d digest.Digest, size int64) (spans []content.Span) {
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
