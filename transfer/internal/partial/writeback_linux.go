package partial

import (
	"os"

	"golang.org/x/sys/unix"
)

// startWriteback has the operating system begin to write a part of a file to the
// disk, so that Sync at the end finds little to wait for.
func startWriteback(f *os.File, first, n int64) {
	conn, err := f.SyscallConn()
	if err != nil {
		return
	}
	_ = conn.Control(func(fd uintptr) {
		// A file system that cannot do it leaves it to Sync.
		_ = unix.SyncFileRange(int(fd), first, n, unix.SYNC_FILE_RANGE_WRITE)
	})
}
