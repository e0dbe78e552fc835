// Package strictyaml reads configuration that people write: YAML, or JSON, in which a key that is not
// known is an error with its line.
package strictyaml

import (
	"errors"
	"fmt"
	"io"

	"github.com/goccy/go-yaml"
)

// Decode reads the one document of r into v. An empty document leaves v as it is.
func Decode(r io.Reader, v any) (err error) {
	// The parser panics on some malformed documents, "! {a}" for one.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the YAML is malformed: %v", p)
		}
	}()
	d := yaml.NewDecoder(r, yaml.DisallowUnknownField())
	err = d.Decode(v)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return err
	}
	// What is after a line of three hyphens would go unread.
	var another any
	if err := d.Decode(&another); !errors.Is(err, io.EOF) {
		return errors.New("there is more than one YAML document in it")
	}
	return nil
}
