package registry

import (
	"fmt"
	"runtime/debug"

	bolt "go.etcd.io/bbolt"
)

// database is a database of which a damaged page is an error of who reads it, which wraps [ErrDamaged]. bbolt panics, or
// the kernel ends the process where the file is shorter than its head says. A change that meets such a page still ends the
// process: bbolt then panics in a goroutine of its own.
type database struct{ *bolt.DB }

// View is that of bbolt.
func (d database) View(do func(*bolt.Tx) error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		p := recover()
		_, isText := p.(string) // of bbolt
		_, isFault := p.(interface{ Addr() uintptr })
		switch {
		case p == nil:
		case isText, isFault:
			err = fmt.Errorf("%s: %w (%v)", d.Path(), ErrDamaged, p)
		default: // a fault of our own
			panic(p)
		}
	}()
	return d.DB.View(do)
}
