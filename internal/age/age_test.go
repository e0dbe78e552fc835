package age

import (
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"90m": 90 * time.Minute, "36h": 36 * time.Hour, "0s": 0, "0d": 0, "30d": 720 * time.Hour, "4w": 672 * time.Hour,
		"100000d": 2_400_000 * time.Hour,
	} {
		if got, err := Parse(text); got != want || err != nil {
			t.Errorf("%s: %v %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "d", "w", "30", "-1h", "-3d", "+3d", "03d", "1.5d", "3D", "3dw", "3d4h", "100001d", "99999999999999999999d"} {
		if got, err := Parse(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}
