package tokenfile

import (
	"os"
	"slices"
	"time"
)

// Shortcut leads from a request to the key of its token without working out the
// key, as long as all is the same that it was worked out from.
type Shortcut struct {
	Key   Key
	Files Snapshot
	Until time.Time // the key may be another then; zero is never
}

// Snapshot is the state of some files, whether they exist or not.
type Snapshot struct {
	Paths []string
	sum   string
}

// maxSnapshot bounds a file of a snapshot, in bytes. AWS config files of
// thousands of profiles are smaller.
const maxSnapshot = 4 << 20

// Snap takes a snapshot. Two of the same paths are equal if the files have the
// same content. It fails if a path is neither a regular file nor nothing.
func Snap(paths []string) (Snapshot, error) {
	contents := make([]string, 0, 3*len(paths))
	for _, path := range paths {
		content, err := readRegular(path, maxSnapshot)
		switch {
		case os.IsNotExist(err):
			contents = append(contents, path, "absent")
		case err != nil:
			return Snapshot{}, err
		default:
			contents = append(contents, path, "present", string(content))
		}
	}
	return Snapshot{Paths: paths, sum: Digest(contents...)}, nil
}

// Equal reports whether nothing has changed from one to the other.
func (s Snapshot) Equal(other Snapshot) bool {
	return s.sum == other.sum && slices.Equal(s.Paths, other.Paths)
}

// Encode writes the file of the shortcut to a token that expires then. A token of
// another time is to be marked as given to the host before a shortcut leads to it.
func (sc Shortcut) Encode(expires time.Time) ([]byte, error) {
	list := []field{
		{"key", sc.Key.Source},
		{"expires", timestamp(expires)},
		{"until", timestamp(sc.Until)},
		{"digest", sc.Files.sum},
	}
	for _, path := range sc.Files.Paths {
		list = append(list, field{"file", path})
	}
	return encode(shortcutHead, list...)
}

// Follow returns the secret of the token to which the shortcut of a request leads, if
// it is fresh. A request is named by a SHA-256 digest in lower-case hexadecimal.
func (d Dir) Follow(request string) (secret string, ok bool) {
	if d.Sealer != nil || d.Check() != nil {
		return "", false
	}
	key, expires, ok := d.lead(request)
	if !ok {
		return "", false
	}
	entry, err := d.get(key)
	if err != nil || entry.State(d.now()) != Fresh || !entry.ExpiresAt.Equal(expires) {
		return "", false
	}
	return entry.Secret, true
}

// lead returns the key to which the shortcut of a request leads if it still counts,
// and when the token was to expire to which it led.
func (d Dir) lead(request string) (Key, time.Time, bool) {
	data, err := d.Read(Key{Source: request}, ShortcutExt)
	if err != nil {
		return Key{}, time.Time{}, false
	}
	sc, expires, ok := decodeShortcut(data)
	if !ok || !sc.Until.IsZero() && !d.now().Before(sc.Until) {
		return Key{}, time.Time{}, false
	}
	now, err := Snap(sc.Files.Paths)
	return sc.Key, expires, err == nil && now.Equal(sc.Files)
}

func decodeShortcut(data []byte) (sc Shortcut, expires time.Time, ok bool) {
	fields := decode(data, shortcutHead)
	key, ok := ParseKey(fields.next("key"))
	expires = fields.time("expires")
	sc = Shortcut{Key: key, Until: fields.time("until"), Files: Snapshot{sum: fields.next("digest")}}
	for {
		path, another := fields.another("file")
		if !another {
			return sc, expires, ok && fields.end()
		}
		sc.Files.Paths = append(sc.Files.Paths, path)
	}
}
