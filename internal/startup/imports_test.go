package startup

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestImports fails if this package needs one that is initialized later than
// package os. Once package reflect or strings is initialized, a hundred others
// come first, in the order of their paths: the comment of the package explains it.
func TestImports(t *testing.T) {
	const ours = "github.com/ecrkit/ecrkit/internal/"
	allowed := []string{
		ours + "startup", ours + "tokenfile",
		"cmp", "encoding/base64", "errors", "io", "io/fs", "iter", "math/bits", "os", "path", "runtime", "slices", "strconv",
		"structs", "sync", "sync/atomic", "syscall", "time", "unicode/utf16", "unicode/utf8", "unsafe",
	}
	for _, system := range []string{"linux", "darwin", "windows"} {
		list := exec.Command("go", "list", "-deps", ".")
		list.Env = append(os.Environ(), "GOOS="+system, "CGO_ENABLED=0")
		out, err := list.Output()
		if err != nil {
			t.Fatal(err)
		}
		for path := range strings.Lines(string(out)) {
			path = strings.TrimSpace(path)
			// What is internal to the standard library is a dependency of one of those.
			if !strings.HasPrefix(path, "internal/") && !slices.Contains(allowed, path) {
				t.Errorf("%s: %s is imported", system, path)
			}
		}
	}
}
