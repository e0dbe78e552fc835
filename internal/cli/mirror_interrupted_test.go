package cli

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMirrorInterrupted says which commands resume when they are run again: not a plan, and not one side of a pipe.
func TestMirrorInterrupted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config := filepath.Join(dir, "mirror.yaml")
	if err := os.WriteFile(config, []byte("destinations: [127.0.0.1:1/copy]\nimages: [{from: 127.0.0.1:1/web}]"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := func(key string) (string, bool) {
		value, ok := map[string]string{"HOME": dir}[key]
		return value, ok
	}
	for args, resumes := range map[string]bool{
		"apply " + config: true, "export " + config + " --to " + dir + "/set": true, "export " + config + " --to " + dir + "/set.tar": true,
		"export " + config + " --to -": false, "plan " + config: false,
	} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var out bytes.Buffer
		if code := Main(ctx, append([]string{"mirror"}, strings.Fields(args)...), nil, &out, &out, env); code != exitInterrupted {
			t.Errorf("%s: exit code %d: %s", args, code, out.String())
		}
		if got := strings.Contains(out.String(), "interrupted; run the command again to resume"); got != resumes {
			t.Errorf("%s: %s", args, out.String())
		}
	}
}
