package sign

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/ecrkit/ecrkit/internal/strictjson"
)

// checkJSON refuses a document that two readers may take for different ones, as
// strictjson has it: what is signed must mean the same to all. limit is its largest
// size in bytes.
func checkJSON(data []byte, limit int) error {
	if len(data) > limit {
		return fmt.Errorf("it has %d bytes; at most %d are read", len(data), limit)
	}
	return strictjson.Check(data)
}

// decodeObject reads the members of an object of a checked document into what
// fields points to. A member of another name is an error, and "Payload" is another
// name than "payload": encoding/json takes the two for one.
func decodeObject(data []byte, fields map[string]any) error {
	if len(data) == 0 {
		return errors.New("it is missing")
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return err
	}
	if members == nil {
		return errors.New("it is null")
	}
	for name, value := range members {
		into, known := fields[name]
		if !known {
			return fmt.Errorf("it has the member %.100q, which is not known", name)
		}
		if err := json.Unmarshal(value, into); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// decodeMember is decodeObject for an object that is itself a member.
func decodeMember(name string, data []byte, fields map[string]any) error {
	if err := decodeObject(data, fields); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// decodeArray reads the elements of an array of a checked document.
func decodeArray(data []byte) (elements []json.RawMessage, err error) {
	if len(data) > 0 {
		err = json.Unmarshal(data, &elements)
	}
	return elements, err
}

// decodeAnnotations reads the members of an object that are strings: those that
// cosign writes are. Other tools also write numbers, for times, which nobody
// requires to have a value. No object is no annotations.
func decodeAnnotations(data []byte) (map[string]string, error) {
	annotations := map[string]string{}
	if len(data) == 0 {
		return annotations, nil
	}
	// What is no string stays as it is: it may be large, and far larger when decoded.
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return nil, err
	}
	for name, value := range members {
		if value[0] != '"' {
			continue
		}
		var s string
		if err := json.Unmarshal(value, &s); err != nil {
			return nil, err
		}
		annotations[name] = s
	}
	return annotations, nil
}

// decodeBase64 reads either alphabet, as DSSE asks of readers:
// https://github.com/secure-systems-lab/dsse/blob/v1.0.0/envelope.md#standard-json-envelope.
func decodeBase64(s string) ([]byte, error) {
	data, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil {
		if other, otherErr := base64.URLEncoding.Strict().DecodeString(s); otherErr == nil {
			return other, nil
		}
		return nil, err
	}
	return data, nil
}

// encodeJSON is compact and leaves <, > and & as they are.
func encodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
