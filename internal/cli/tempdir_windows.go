package cli

// largeTempDir is "", which is never a directory: the user's own is on a disk.
const largeTempDir = ""
