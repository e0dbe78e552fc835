package files

// RemoveAll removes a file, or a directory with all that is in it, as os.RemoveAll
// does, also where the system cannot remove by an open directory, as Wine and some
// network drives of Windows.
func RemoveAll(path string) error { return removeAll(path) }
