package files

import "github.com/ecrkit/ecrkit/internal/files/casefold"

// fold goes by NTFS, for which names do not differ in case. That it tells forms of
// Unicode apart does no harm: what asks for [Same] then does one thing after the other.
func fold(path string) string { return casefold.String(path) }
