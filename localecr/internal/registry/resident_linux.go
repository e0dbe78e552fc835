package registry

import (
	"bytes"
	"os"
	"strconv"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

const (
	trimInterval = 8        // calls of trim between two looks: the kernel maps 16 pages for one that is read
	mostResident = 36 << 20 // bytes of files, the program itself too
	leastTrimmed = 16 << 20 // bytes of a database
)

// trim keeps the database, which is mapped into memory, from becoming resident as a whole: the pages that were read remain
// mapped, and so count as this process's memory, until somebody takes them back. They stay in the page cache, from which the
// next read maps them again. While tx is open, the database is not mapped elsewhere.
func (s *Store) trim(tx *bolt.Tx) {
	if s.trims.Add(1)%trimInterval == 0 && tx.Size() >= leastTrimmed && residentFiles() >= mostResident {
		s.forget(tx)
	}
}

// forget is trim for a moment at which the memory is needed.
func (s *Store) forget(tx *bolt.Tx) {
	// If it fails, the memory is used for longer.
	_, _, _ = unix.Syscall(unix.SYS_MADVISE, s.db.Info().Data, uintptr(tx.Size()), unix.MADV_DONTNEED)
}

// residentFiles is how much of mapped files is resident, in bytes; 0 if that is not known.
func residentFiles() int64 {
	data, err := os.ReadFile("/proc/self/statm")
	fields := bytes.Fields(data)
	if err != nil || len(fields) < 3 {
		return 0
	}
	pages, _ := strconv.ParseInt(string(fields[2]), 10, 64) // "shared" of proc_pid_statm(5)
	return pages * int64(os.Getpagesize())
}
