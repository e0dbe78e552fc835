package tokenfile

import "os"

// The extensions of the files of a key.
const (
	EntryExt    = ".token"
	ShortcutExt = ".shortcut"
)

// Key names a token. Both fields are digests, see [Digest]; Session is "" for a
// credential source that always has the same principal.
type Key struct{ Source, Session string }

// String returns the name of the key's files without extension: "SOURCE" or
// "SOURCE.SESSION".
func (k Key) String() string {
	if k.Session == "" {
		return k.Source
	}
	return k.Source + "." + k.Session
}

// ParseKey parses what [Key.String] returns.
func ParseKey(name string) (Key, bool) {
	const size = 64 // of a digest
	switch {
	case len(name) == size && isHexadecimal(name):
		return Key{Source: name}, true
	case len(name) == 2*size+1 && name[size] == '.' && isHexadecimal(name[:size]) && isHexadecimal(name[size+1:]):
		return Key{name[:size], name[size+1:]}, true
	}
	return Key{}, false
}

func isHexadecimal(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// Files returns the directory of the files.
func (d Dir) Files() string { return d.Path + separator + version }

const (
	separator = string(os.PathSeparator)
	version   = "v1"
)

// File returns the path of a key's file.
func (d Dir) File(key Key, ext string) string {
	return d.Path + separator + version + separator + key.String() + ext
}
