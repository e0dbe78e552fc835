//go:build !windows

package cli

// largeTempDir is the directory for large temporary files, if it exists.
const largeTempDir = "/var/tmp"
