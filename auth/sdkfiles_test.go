package auth

import (
	"errors"
	"strings"
	"testing"
)

// TestPanicOfTheSDK has the SDK panic over its files.
func TestPanicOfTheSDK(t *testing.T) {
	t.Parallel()
	_, err := readByTheSDK("AWS config files a, b", func() (int, error) { return len([]int{}[1:]), nil })
	if err == nil || !strings.HasPrefix(err.Error(), "AWS config files a, b: ") || strings.Contains(err.Error(), "goroutine") {
		t.Errorf("a panic: %v", err)
	}
	want := errors.New("no such profile")
	if n, err := readByTheSDK("x", func() (int, error) { return 3, want }); n != 3 || err != want {
		t.Errorf("no panic: %d, %v", n, err)
	}
}
