package files

import (
	"errors"
	"io/fs"
	"os"
)

// newName is how a file gets a name that no other file has.
type newName struct {
	link, rename func(from, to string) error // that replace nothing
}

// publish renames the open file f to path, unless another file has that name. f is closed in any case.
//
// FAT, exFAT and some file systems in user space have no hard links. Most of them, and all usual kernels, can rename a file
// so that none is replaced. Where that is missing too, an empty file takes the name first, which only one writer can
// create, and is then replaced: others may see it empty for a moment, and after a kill in this moment it stays so. To look
// for the name and then rename would lose what another writer puts there in between.
func (w newName) publish(f *os.File, path string) error {
	err := checkName(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err = w.link(f.Name(), path); err == nil {
		_ = os.Remove(f.Name()) // if it stays, whoever looks for old ones removes it
		return nil
	}
	if !errors.Is(err, fs.ErrExist) {
		err = w.rename(f.Name(), path)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		err = claimAndReplace(f.Name(), path)
	}
	if errors.Is(err, fs.ErrExist) {
		return &fs.PathError{Op: "create", Path: path, Err: fs.ErrExist}
	}
	return err
}

// claimAndReplace renames a file to a name that it has created before.
func claimAndReplace(from, to string) error {
	claim, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	mine, err := claim.Stat()
	if err = errors.Join(err, claim.Close()); err == nil {
		err = Rename(from, to)
	}
	if err == nil {
		return nil
	}
	if now, statErr := os.Lstat(to); statErr == nil && mine != nil && os.SameFile(mine, now) {
		_ = os.Remove(to)
	}
	return err
}
