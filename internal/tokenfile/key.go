package tokenfile

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strings"
)

// Key names a token. Both are SHA-256 digests in lower-case hexadecimal; Session
// is "" for a recipe that always gives the same principal.
type Key struct{ Recipe, Session string }

// String is the name of the key's files without extension: "RECIPE" or
// "RECIPE.SESSION".
func (k Key) String() string {
	if k.Session == "" {
		return k.Recipe
	}
	return k.Recipe + "." + k.Session
}

// ParseKey reads what [Key.String] gives.
func ParseKey(name string) (Key, bool) {
	recipe, session, _ := strings.Cut(name, ".")
	if len(recipe) != 64 || session != "" && len(session) != 64 || strings.Trim(recipe+session, "0123456789abcdef") != "" {
		return Key{}, false
	}
	return Key{recipe, session}, true
}

// KeyVersion is that of the rules by which the key of a token is found. It is
// part of each key and of the name of each request, so that nothing is taken from
// an older version that found another key.
const KeyVersion = "1"

// Digest is the SHA-256, in lower-case hexadecimal, of a list of strings. No two
// lists give the same bytes to it.
func Digest(list ...string) string {
	size := 0
	for _, s := range list {
		size += binary.MaxVarintLen64 + len(s)
	}
	text := make([]byte, 0, size)
	for _, s := range list {
		text = binary.AppendUvarint(text, uint64(len(s)))
		text = append(text, s...)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
