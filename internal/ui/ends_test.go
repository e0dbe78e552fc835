package ui

import "testing"

// How long a wait takes is at its end, and is seen on a narrow terminal too.
func TestEnds(t *testing.T) {
	const text = "waiting for the scan of 127.0.0.1:4510/hello@sha256:28a2870cb2a12cda0f62ca6e445ce68aaa25b5bdee6c79dbb8c400b26c09b361, 2s of at most 15m0s"
	for width, want := range map[int]string{
		200: text,
		100: "waiting for the scan of 127.0.0.1:4510/hello@sha256:28a2870cb2a1, 2s of at most 15m0s",
		80:  "waiting for the scan of ...1:4510/hello@sha256:28a2870cb2a1, 2s of at most 15m0s",
		40:  "waiting for...cb2a1, 2s of at most 15m0s",
		10:  "waiting fo",
	} {
		if got := ends(text, width); got != want || len(got) > width {
			t.Errorf("%d: %q", width, got)
		}
	}
}
