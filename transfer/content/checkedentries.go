package content

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// CheckedEntries are descriptors that are checked while they are decoded, which ends at the first that cannot be right:
// ten million times {} have room in a list of referrers, and would take gigabytes of memory.
type CheckedEntries []Descriptor

// UnmarshalJSON implements [json.Unmarshaler]. Its errors are for [EntryError].
func (e *CheckedEntries) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	in := json.NewDecoder(bytes.NewReader(data))
	if start, err := in.Token(); err != nil || start != json.Delim('[') {
		return errors.New("its entries are not a list")
	}
	list := CheckedEntries{}
	for in.More() {
		var d Descriptor
		if err := in.Decode(&d); err != nil {
			return err
		}
		if err := CheckDescriptor(d); err != nil {
			return &entryError{err}
		}
		list = append(list, d)
	}
	*e = list
	return nil
}

// entryError is that of a descriptor that cannot be right.
type entryError struct{ error }

// EntryError returns why a document with [CheckedEntries] could not be decoded, as an error that wraps what
// [CheckDescriptor] returned, or otherwise damaged.
func EntryError(err, damaged error) error {
	var entry *entryError
	if errors.As(err, &entry) {
		return entry.error
	}
	return fmt.Errorf("%w: %w", damaged, err)
}
