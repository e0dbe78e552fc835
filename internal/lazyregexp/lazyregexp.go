// Package lazyregexp compiles the regular expressions of package-level variables when they
// are first used. Compiled at the start of the process, those of ecrkit took half of its CPU
// time and 2 MiB of memory, and one command needs a few of them. The package is modelled on
// the one of the same name in the Go toolchain.
package lazyregexp

import (
	"os"
	"regexp"
	"strings"
	"sync"
)

// Regexp is a regular expression that is compiled when it is first used. Its methods are
// those of regexp.Regexp, safe for concurrent use.
type Regexp struct{ compiled func() *regexp.Regexp }

// New returns the regular expression with this syntax. In a test it is compiled at once, so
// that a mistake does not wait for its first use; elsewhere the first use panics.
func New(syntax string) Regexp {
	r := Regexp{compiled: sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(syntax) })}
	if inTest {
		r.compiled()
	}
	return r
}

// inTest reports whether this process is the binary of a test.
var inTest = len(os.Args) > 0 && strings.HasSuffix(strings.TrimSuffix(os.Args[0], ".exe"), ".test")

// String returns the syntax of the expression.
func (r Regexp) String() string { return r.compiled().String() }

// MatchString is that of regexp.Regexp.
func (r Regexp) MatchString(s string) bool { return r.compiled().MatchString(s) }

// FindStringSubmatch is that of regexp.Regexp.
func (r Regexp) FindStringSubmatch(s string) []string { return r.compiled().FindStringSubmatch(s) }

// ReplaceAllString is that of regexp.Regexp.
func (r Regexp) ReplaceAllString(s, replacement string) string {
	return r.compiled().ReplaceAllString(s, replacement)
}

// ReplaceAllStringFunc is that of regexp.Regexp.
func (r Regexp) ReplaceAllStringFunc(s string, replacement func(string) string) string {
	return r.compiled().ReplaceAllStringFunc(s, replacement)
}

// FindString is that of regexp.Regexp.
func (r Regexp) FindString(s string) string { return r.compiled().FindString(s) }

// FindAllString is that of regexp.Regexp.
func (r Regexp) FindAllString(s string, n int) []string { return r.compiled().FindAllString(s, n) }
