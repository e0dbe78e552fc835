package startup

import "os"

// HomeVariable is the environment variable of the home directory.
const HomeVariable = "USERPROFILE"

// sameVariable reports whether two names are of one environment variable, in which
// case does not count.
func sameVariable(a, b string) bool { return len(a) == len(b) && hasPrefixFold(a, b) }

// isAbsolute is filepath.IsAbs, whose package is initialized too late, for paths
// that begin with a drive or a share.
func isAbsolute(path string) bool {
	switch {
	case len(path) >= 3 && path[1] == ':':
		return os.IsPathSeparator(path[2])
	case len(path) >= 3:
		return os.IsPathSeparator(path[0]) && os.IsPathSeparator(path[1])
	}
	return false
}
