// Package jsonlist writes JSON objects with a list that is too long to be held in memory.
package jsonlist

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
)

// Write writes an object, element by element. frame is the object with an empty list, which follows begin there: [, the name of the
// member and whatever is before. before is written before each of n elements, and after behind the last one.
func Write(w io.Writer, frame []byte, begin, before, after string, n int, element func(i int) ([]byte, error)) error {
	at := bytes.Index(frame, []byte(begin+"]"))
	if at < 0 {
		return fmt.Errorf("%q is not in the object", begin)
	}
	at += len(begin)
	out := bufio.NewWriterSize(w, 64<<10)
	_, _ = out.Write(frame[:at]) // Flush returns the first error
	for i := range n {
		data, err := element(i)
		if err != nil {
			return err
		}
		if i > 0 {
			_ = out.WriteByte(',')
		}
		_, _ = out.WriteString(before)
		_, _ = out.Write(data)
	}
	if n > 0 {
		_, _ = out.WriteString(after)
	}
	_, _ = out.Write(frame[at:])
	return out.Flush()
}
