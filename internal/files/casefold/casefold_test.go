package casefold

import "testing"

func TestString(t *testing.T) {
	t.Parallel()
	for _, same := range [][2]string{
		{`C:\Images\A.TAR`, `c:\images\a.tar`},
		{"/tmp/caf\u00e9.tar", "/tmp/CAFE\u0301.tar"},
		{"/tmp/stra\u00dfe", "/tmp/STRASSE"},
	} {
		if String(same[0]) != String(same[1]) {
			t.Errorf("%q and %q differ", same[0], same[1])
		}
	}
	if String("/tmp/a") == String("/tmp/b") {
		t.Error("two names are one")
	}
}
