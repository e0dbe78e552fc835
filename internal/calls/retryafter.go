package calls

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxRetryAfter keeps times within what can be added to.
const maxRetryAfter = 100 * 365 * 24 * time.Hour

// RetryAfter is the time that the header Retry-After names, in seconds or as a
// date; the zero time if it is missing or names none:
// https://www.rfc-editor.org/rfc/rfc9110#field.retry-after. now is when the answer
// came. A date is one by the server's clock, which the header Date tells.
func RetryAfter(h http.Header, now time.Time) time.Time {
	value := strings.TrimSpace(h.Get("Retry-After"))
	if value == "" {
		return time.Time{}
	}
	if seconds, err := strconv.ParseUint(value, 10, 63); err == nil {
		return now.Add(min(time.Duration(min(seconds, uint64(maxRetryAfter/time.Second)))*time.Second, maxRetryAfter))
	}
	date, err := http.ParseTime(value)
	if err != nil {
		return time.Time{}
	}
	if server, err := http.ParseTime(h.Get("Date")); err == nil {
		return now.Add(min(max(date.Sub(server), 0), maxRetryAfter))
	}
	return date
}
