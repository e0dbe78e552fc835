package content

import (
	"fmt"
	"strings"
	"testing"
)

func TestCheckTag(t *testing.T) {
	for s, ok := range map[string]bool{"1.2": true, "_a": true, strings.Repeat("a", 128): true, "": false, ".a": false, "a:b": false, "a/b": false, fmt.Sprintf("%0129d", 1): false} {
		if err := CheckTag(s); (err == nil) != ok {
			t.Errorf("%q: %v", s, err)
		}
	}
}
