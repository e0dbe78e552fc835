// Package casefold compares the names of files for systems that do not tell upper from
// lower case.
package casefold

import (
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// String returns a form of a name that is equal for two spellings that differ in case,
// or in how letters with accents are put together.
func String(name string) string { return cases.Fold().String(norm.NFD.String(name)) }
