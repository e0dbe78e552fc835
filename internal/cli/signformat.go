package cli

import (
	"errors"
	"strings"

	"github.com/ecrkit/ecrkit/sign"
)

// signFormat is the value of --format of sign.
type signFormat string

const (
	formatBundle signFormat = "bundle"
	formatLegacy signFormat = "legacy"
	formatBoth   signFormat = "both"
)

// formats are those of the flag, nil if it was not given.
func (f signFormat) formats() []sign.Format {
	switch f {
	case formatLegacy:
		return []sign.Format{sign.FormatLegacy}
	case formatBoth:
		return []sign.Format{sign.FormatBundle, sign.FormatLegacy}
	}
	if f == formatBundle {
		return []sign.Format{sign.FormatBundle}
	}
	return nil
}

func (f *signFormat) String() string { return string(*f) }
func (f *signFormat) Type() string   { return strings.Join(f.values(), "|") }
func (f *signFormat) values() []string {
	return []string{string(formatBundle), string(formatLegacy), string(formatBoth)}
}
func (f *signFormat) Set(s string) error {
	switch format := signFormat(s); format {
	case formatBundle, formatLegacy, formatBoth:
		*f = format
		return nil
	}
	return errors.New("must be bundle, legacy or both")
}
