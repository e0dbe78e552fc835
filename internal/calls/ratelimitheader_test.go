package calls

import (
	"net/http"
	"testing"
	"time"
)

func TestRateLimit(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	never := time.Duration(-1)
	tests := []struct {
		limit, remaining, after string
		refused, accepted       time.Duration // how long to wait after a 429 and a 200
	}{
		{"", "", "", never, never},
		{"100;w=21600", "76;w=21600", "", 216 * time.Second, never},
		{"100;w=21600", "0;w=21600", "", 216 * time.Second, 216 * time.Second},
		{"100;w=21600", "0", "30", 30 * time.Second, 216 * time.Second},
		{"200; w=21600", "0", "", 108 * time.Second, 108 * time.Second},
		{"1;w=21600", "0;w=21600", "", maxLimitPause, maxLimitPause},
		{"0;w=21600", "0;w=21600", "", maxLimitPause, maxLimitPause},
		{"1000;w=60", "0;w=60", "", minLimitPause, minLimitPause},
		{"100", "0", "", never, never}, // of no known time
		{"100;w=soon", "0", "", never, never},
		{"many;w=21600", "0", "", never, never},
		{"-1;w=21600", "-1", "", never, never},
		{"99999999999999;w=21600", "0", "", never, never},
		{"100;w=21600", "none", "", 216 * time.Second, never},
	}
	for _, tt := range tests {
		h := http.Header{}
		for name, value := range map[string]string{"ratelimit-limit": tt.limit, "ratelimit-remaining": tt.remaining, "Retry-After": tt.after} {
			if value != "" {
				h.Set(name, value)
			}
		}
		check := func(what string, got time.Time, want time.Duration) {
			if want == never && !got.IsZero() || want != never && !got.Equal(now.Add(want)) {
				t.Errorf("limit %q, remaining %q, Retry-After %q: %s: until %v, want %v", tt.limit, tt.remaining, tt.after, what, got, want)
			}
		}
		check("refused", NotBefore(http.StatusTooManyRequests, h, now), tt.refused)
		check("accepted", usedUp(h, now), tt.accepted)
		if tt.after == "" {
			check("failed", NotBefore(http.StatusBadGateway, h, now), never)
		}
	}
}
