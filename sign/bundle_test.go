package sign

import (
	"bytes"
	"testing"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
)

func TestSignedBytes(t *testing.T) {
	t.Parallel()
	for _, payload := range []string{"", "{}", "a 1 b\n%d\x00é"} {
		got, want := bundle{payload: []byte(payload)}.signed(), dsse.PAE(statementMediaType, []byte(payload))
		if !bytes.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
