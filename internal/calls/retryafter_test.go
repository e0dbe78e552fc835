package calls

import (
	"net/http"
	"testing"
	"time"
)

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) string { return now.Add(d).Format(http.TimeFormat) }
	never := time.Duration(-1)
	tests := []struct {
		value, date string
		want        time.Duration
	}{
		{"", "", never},
		{"0", "", 0},
		{"5", "", 5 * time.Second},
		{" 5 ", "", 5 * time.Second},
		{"-5", "", never},
		{"+5", "", never},
		{"1.5", "", never},
		{"5s", "", never},
		{"soon", "", never},
		{"99999999999999999999", "", never},
		{"9223372036854775807", "", maxRetryAfter},
		{at(time.Minute), "", time.Minute},
		{at(time.Minute), at(30 * time.Second), 30 * time.Second},   // its clock is ahead
		{at(time.Minute), at(-time.Minute), 2 * time.Minute},        // its clock is behind
		{at(-time.Minute), at(0), 0},                                // over
		{at(time.Minute), "yesterday", time.Minute},                 // no date
		{now.Add(time.Minute).Format(time.RFC850), "", time.Minute}, // an old form that RFC 9110 has too
		{now.Format(time.RFC3339), "", never},
	}
	for _, tt := range tests {
		h := http.Header{}
		if tt.value != "" {
			h.Set("Retry-After", tt.value)
		}
		if tt.date != "" {
			h.Set("Date", tt.date)
		}
		got := RetryAfter(h, now)
		if tt.want == never {
			if !got.IsZero() {
				t.Errorf("%q: %s", tt.value, got)
			}
		} else if !got.Equal(now.Add(tt.want)) {
			t.Errorf("%q with date %q: after %s, want %s", tt.value, tt.date, got.Sub(now), tt.want)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	f.Add("120", "")
	f.Add("Tue, 24 Nov 2026 12:00:00 GMT", "Tue, 24 Nov 2026 11:00:00 GMT")
	f.Add("Sun Nov  6 08:49:37 1994", "-")
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, value, date string) {
		got := RetryAfter(http.Header{"Retry-After": {value}, "Date": {date}}, now)
		if date != "" || got.IsZero() {
			return
		}
		if got.Sub(now) > maxRetryAfter && got.Year() < 9999 {
			if _, err := http.ParseTime(value); err != nil {
				t.Errorf("%q: %s", value, got)
			}
		}
	})
}
