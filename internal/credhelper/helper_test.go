package credhelper

import (
	"bytes"
	"strings"
	"testing"

	"github.com/ecrkit/ecrkit/internal/startup"
)

// FuzzMain gives the protocol any input. There is no AWS: a get of a private
// registry fails, with one line.
func FuzzMain(f *testing.F) {
	home := f.TempDir()
	env := []string{"HOME=" + home, "AWS_PROFILE=absent", "AWS_CONFIG_FILE=" + home + "/none", "AWS_SHARED_CREDENTIALS_FILE=" + home + "/none"}
	for _, action := range []string{"get", "store", "erase"} {
		for _, input := range []string{"", "\n", "ghcr.io", "https://123456789012.dkr.ecr.us-east-1.amazonaws.com/v2/", `{"ServerURL":"x","Username":"u","Secret":"s"}`, `{"ServerURL":1}`, "null"} {
			f.Add(action, input)
		}
	}
	f.Fuzz(func(t *testing.T, action, input string) {
		if action != "get" && action != "store" && action != "erase" {
			return
		}
		var stdout, stderr bytes.Buffer
		code := Main(t.Context(), []string{action}, strings.NewReader(input), &stdout, &stderr, env)
		if code != 0 && code != 1 {
			t.Fatalf("exit code %d", code)
		}
		if lines := strings.Count(stdout.String(), "\n"); code == 1 && lines != 1 || action == "get" && code == 0 {
			t.Fatalf("%s %q: exit code %d, %d lines: %q", action, input, code, lines, &stdout)
		}
	})
}

func TestTooMuchInput(t *testing.T) {
	var stdout, stderr bytes.Buffer
	code := Main(t.Context(), []string{"get"}, strings.NewReader(strings.Repeat("x", startup.MaxInput+1)), &stdout, &stderr, nil)
	if code != 1 || !strings.Contains(stdout.String(), "more than 1048576 bytes") {
		t.Errorf("%d, %q", code, &stdout)
	}
}
