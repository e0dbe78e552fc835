package auth

import "encoding/binary"

// canonical joins strings so that no two lists of them give the same bytes.
func canonical(list []string) []byte {
	var out []byte
	for _, s := range list {
		out = binary.AppendUvarint(out, uint64(len(s)))
		out = append(out, s...)
	}
	return out
}
