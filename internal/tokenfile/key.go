package tokenfile

import "strconv"

// KeyVersion is the version of the rules by which the key of a token is found. It
// is part of each key and of the name of each request, so that nothing is taken
// from an older version that found another key.
const KeyVersion = "3"

// Digest returns the SHA-256 of a list of strings in lower-case hexadecimal. Each
// is preceded by its length, so that no two lists hash the same bytes.
func Digest(list ...string) string {
	const digits = len("9223372036854775807:")
	size := 0
	for _, s := range list {
		size += digits + len(s)
	}
	text := make([]byte, 0, size)
	for _, s := range list {
		text = append(strconv.AppendInt(text, int64(len(s)), 10), ':')
		text = append(text, s...)
	}
	sum := sum256(text)
	return hexadecimal(sum[:])
}

// hexadecimal is hex.EncodeToString, whose package imports fmt.
func hexadecimal(data []byte) string {
	const digits = "0123456789abcdef"
	text := make([]byte, 0, 2*len(data))
	for _, b := range data {
		text = append(text, digits[b>>4], digits[b&15])
	}
	return string(text)
}
