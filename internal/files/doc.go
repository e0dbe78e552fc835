// Package files has the one lock, the one atomic write and the one way to open a
// file whose name others can predict.
//
// Whoever supplied a directory (a repository, a CI cache, a shared folder) may have
// put a symbolic or hard link, a pipe or a file of their own under the name of a
// lock, a partial file or a staging directory. [OpenOwn], [PrivateDir], [Try] and
// [Acquire] refuse those with an error that wraps [ErrUntrusted], and leave them as
// they are. A caller that can do with another name then takes a random one, as
// [Create] always does.
//
// A file system that shows every file as another user's (CIFS, NFS with squashed
// users, the mounts of virtual machines) can be used: a file then counts as one's
// own if a new one in the same directory gets the same owner.
package files

import "errors"

// ErrUntrusted is wrapped by errors about a file or directory that is a link, is of
// another type than expected, belongs to another user, has a second name, or can be
// written to by others although it has to be private.
var ErrUntrusted = errors.New("not trusted")

// TempPrefix begins the names of the files that [Create] makes.
const TempPrefix = ".ecrkit-"
