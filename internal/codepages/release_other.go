//go:build !linux

package codepages

// Release does nothing: only Linux is known to map much more of the program than it uses.
func Release() {}
