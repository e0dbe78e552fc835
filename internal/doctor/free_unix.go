//go:build linux || darwin || freebsd

package doctor

import "golang.org/x/sys/unix"

// Free returns the space of the file system of a directory that this user may use.
func Free(dir string) (Space, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(dir, &stat); err != nil {
		return Space{}, err
	}
	// Some file systems, such as btrfs, have no fixed number of inodes and report 0.
	return Space{Bytes: uint64(stat.Bavail) * uint64(stat.Bsize), Full: stat.Files > 0 && stat.Ffree == 0}, nil
}
