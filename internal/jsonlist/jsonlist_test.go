package jsonlist

import (
	"bytes"
	"encoding/json"
	"testing"
)

type object struct {
	Name   string   `json:"name"`
	Images []image  `json:"images"`
	More   []string `json:"more"`
}

type image struct {
	Tags []string `json:"tags"`
}

// TestWrite compares what is written element by element with what package json writes at once.
func TestWrite(t *testing.T) {
	t.Parallel()
	images := []image{{[]string{"1.0", "a<b>&"}}, {[]string{}}, {[]string{`"images":[]`, `"images": []`}}}
	for n := range len(images) + 1 {
		o := object{Name: "\n  \"images\": []", Images: images[:n], More: []string{`"images":[]`}}
		empty := o
		empty.Images = []image{}
		for _, c := range []struct {
			begin, before, after string
			encode               func(v any, prefix string) ([]byte, error)
		}{
			{`"images":[`, "", "", func(v any, _ string) ([]byte, error) { return json.Marshal(v) }},
			{"\n  \"images\": [", "\n    ", "\n  ", func(v any, prefix string) ([]byte, error) { return json.MarshalIndent(v, prefix, "  ") }},
		} {
			want, err := c.encode(o, "")
			check(t, err)
			frame, err := c.encode(empty, "")
			check(t, err)
			var got bytes.Buffer
			check(t, Write(&got, frame, c.begin, c.before, c.after, n, func(i int) ([]byte, error) { return c.encode(images[i], "    ") }))
			if got.String() != string(want) {
				t.Errorf("wrote %s\nwant %s", got.String(), want)
			}
		}
	}
	if err := Write(&bytes.Buffer{}, []byte(`{}`), `"images":[`, "", "", 0, nil); err == nil {
		t.Error("an object without the list was written")
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
