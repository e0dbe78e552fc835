package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
)

// PrintResult writes the result of a command to stdout: as text, or with --output json
// as one line of JSON. The JSON is written when the command ends, so that an error can
// be part of it; see flushResult.
func (app *App) PrintResult(result any, text string) error {
	if app.Output != outputJSON {
		_, err := io.WriteString(app.Stdout, text)
		return err
	}
	data, err := json.Marshal(result)
	if err != nil {
		return err
	}
	return app.printJSON(data)
}

// printLongResult is PrintResult of an object that is too large to be held in memory: write writes it, without the brace that
// ends it.
func (app *App) printLongResult(write func(w io.Writer) error) error {
	if err := app.flushResult(nil); err != nil {
		return err
	}
	app.resultBegun = true
	out := bufio.NewWriter(app.Stdout)
	return errors.Join(write(out), out.Flush())
}

// printJSON keeps a JSON object as the result, and writes the one before it.
func (app *App) printJSON(object []byte) error {
	if err := app.flushResult(nil); err != nil {
		return err
	}
	app.result = object
	return nil
}

// printImages is printAll for images.
func (app *App) printImages(images []any, only any) error {
	return app.printAll("images", images, only)
}

// printAll prints an object with a member name of all results, to which the members of
// the only one are added; nil is several. So a script reads one shape however many there are.
func (app *App) printAll(name string, results []any, only any) error {
	var object []byte
	if only != nil {
		var err error
		if object, err = json.Marshal(only); err != nil {
			return err
		}
	}
	all, err := json.Marshal(results)
	if err != nil {
		return err
	}
	return app.printJSON(withMember(object, name, all))
}

// flushResult writes the JSON result, with f as its member "error". Without a result
// that member is all.
func (app *App) flushResult(f *failure) error {
	result, begun := app.result, app.resultBegun
	app.result, app.resultBegun = nil, false
	if begun {
		result = []byte{'}'}
	}
	if f != nil {
		data, err := json.Marshal(f)
		if err != nil {
			return err
		}
		if begun {
			result = slices.Concat([]byte(`,"error":`), data, result)
		} else {
			result = withMember(result, "error", data)
		}
	}
	if result == nil {
		return nil
	}
	_, err := app.Stdout.Write(append(result, '\n'))
	return err
}

// withMember adds a member at the end of a JSON object; nil is an empty one.
func withMember(object []byte, name string, value []byte) []byte {
	before, ok := bytes.CutSuffix(bytes.TrimSpace(object), []byte("}"))
	if !ok {
		before = []byte("{")
	}
	separator := ","
	if bytes.Equal(bytes.TrimSpace(before), []byte("{")) {
		separator = ""
	}
	out := bytes.Clone(bytes.TrimRight(before, "\n "))
	out = append(out, separator+`"`+name+`":`...)
	return append(append(out, value...), '}')
}
