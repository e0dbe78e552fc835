package files

import "github.com/ecrkit/ecrkit/internal/files/casefold"

// fold goes by the usual file systems of macOS, APFS and HFS+, which keep the case and
// the form of Unicode but do not tell names apart by them.
func fold(path string) string { return casefold.String(path) }
