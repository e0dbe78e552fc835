package content

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// DecodeEntries returns the descriptors in the member "manifests" of an image index, an index.json or a list of referrers; nil
// without that member. Each is checked as soon as it is read: what [CheckDescriptor] returns for the first that it refuses
// is the error. If data is no such document, the error wraps damaged, [ErrIntegrity] say.
func DecodeEntries(data []byte, damaged error) ([]Descriptor, error) {
	var doc struct{ Manifests checkedEntries }
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, entriesError(err, damaged)
	}
	return doc.Manifests, nil
}

// checkedEntries are descriptors that are checked while they are decoded, which ends at the first that cannot be right:
// ten million times {} have room in a list of referrers, and would take gigabytes of memory.
type checkedEntries []Descriptor

// leastEntry is how many bytes an entry with a digest has at least.
const leastEntry = len(`{"digest":"sha256:"}`) + 64

// UnmarshalJSON implements [json.Unmarshaler]. Its errors are for entriesError.
func (e *checkedEntries) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	in := json.NewDecoder(bytes.NewReader(data))
	if start, err := in.Token(); err != nil || start != json.Delim('[') {
		return errors.New("its entries are not a list")
	}
	// A list that grows by a quarter at a time takes five times its memory. One more is for the config.
	list := make(checkedEntries, 0, min(bytes.Count(data, []byte(`"digest"`)), len(data)/leastEntry)+1)
	for in.More() {
		list = append(list, Descriptor{})
		d := &list[len(list)-1]
		if err := in.Decode(d); err != nil {
			return err
		}
		if err := CheckDescriptor(*d); err != nil {
			return &entryError{err}
		}
	}
	*e = list
	return nil
}

// entryError is that of a descriptor that cannot be right.
type entryError struct{ error }

// entriesError returns why a document with checkedEntries could not be decoded, as an error that wraps what
// [CheckDescriptor] returned, or otherwise damaged.
func entriesError(err, damaged error) error {
	var entry *entryError
	if errors.As(err, &entry) {
		return entry.error
	}
	return fmt.Errorf("%w: %w", damaged, err)
}
