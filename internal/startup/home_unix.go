//go:build !windows

package startup

// HomeVariable is the environment variable of the home directory.
const HomeVariable = "HOME"

// sameVariable reports whether two names are of one environment variable.
func sameVariable(a, b string) bool { return a == b }

// isAbsolute is filepath.IsAbs, whose package is initialized too late.
func isAbsolute(path string) bool { return path != "" && path[0] == '/' }
