package calls

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// minLimitPause and maxLimitPause are how long nothing is requested of a service whose limit is used up and that does not say
	// until when: the time in which the limit grows by one request if it is of the last hours, but no more than is lost if it is
	// whole again at some time of which nothing is known.
	minLimitPause = 10 * time.Second
	maxLimitPause = 10 * time.Minute
)

// NotBefore is the time before which a service wants no other request, by the status and the header of an answer that refuses one:
// what [RetryAfter] returns, else, if it has throttled the request, from its ratelimit-limit. It is the zero time if the header has
// neither.
func NotBefore(status int, h http.Header, now time.Time) time.Time {
	at := RetryAfter(h, now)
	if at.IsZero() && status == http.StatusTooManyRequests {
		at = limitOver(h, now)
	}
	return at
}

// usedUp is the time before which a service would refuse another request, by the header of an answer to one that it accepted: the
// zero time if it would not, or if it does not say.
func usedUp(h http.Header, now time.Time) time.Time {
	if left, _, ok := parseRateLimit(h.Get("RateLimit-Remaining")); !ok || left > 0 {
		return time.Time{}
	}
	return limitOver(h, now)
}

func limitOver(h http.Header, now time.Time) time.Time {
	limit, window, ok := parseRateLimit(h.Get("RateLimit-Limit"))
	if !ok || window <= 0 {
		return time.Time{}
	}
	return now.Add(min(max(window/time.Duration(max(limit, 1)), minLimitPause), maxLimitPause))
}

// parseRateLimit reads a number of requests and the time that it is for, such as 100;w=21600:
// https://docs.docker.com/docker-hub/usage/pulls/#view-pull-rate-and-limit. The time is 0 if it is missing.
func parseRateLimit(s string) (requests int64, window time.Duration, ok bool) {
	number, parameters, _ := strings.Cut(s, ";")
	requests, err := strconv.ParseInt(strings.TrimSpace(number), 10, 32)
	if err != nil || requests < 0 {
		return 0, 0, false
	}
	for parameter := range strings.SplitSeq(parameters, ";") {
		if value, ok := strings.CutPrefix(strings.TrimSpace(parameter), "w="); ok {
			seconds, err := strconv.ParseInt(value, 10, 32)
			if err != nil || seconds < 0 {
				return 0, 0, false
			}
			window = time.Duration(seconds) * time.Second
		}
	}
	return requests, window, true
}
