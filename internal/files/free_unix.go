//go:build linux || darwin || freebsd

package files

import "golang.org/x/sys/unix"

// Free returns how many bytes the user can still write to the file system of a
// directory, and how many it has in all.
func Free(dir string) (free, total int64, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, 0, err
	}
	block := int64(s.Bsize)
	return int64(s.Bavail) * block, int64(s.Blocks) * block, nil
}
