//go:build !windows

package startup

// HomeVariable is the environment variable of the home directory.
const HomeVariable = "HOME"

// isAbsolute is filepath.IsAbs, whose package is initialized too late.
func isAbsolute(path string) bool { return path != "" && path[0] == '/' }
