// Package house holds the tests of the module's shape: which package may import which
// others, how large a package may be, and what its code may not say.
package house
