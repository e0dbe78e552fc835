// Package age reads ages as people write them.
package age

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// maxDays bounds ages in days or weeks: the time of that long ago can still be calculated.
const maxDays = 100_000

// Parse reads an age: a duration as Go writes it, such as 90m or 36h, or a number of days (30d) or
// weeks (4w) of 24 hours a day. It is not negative.
func Parse(s string) (time.Duration, error) {
	if age, err := time.ParseDuration(s); err == nil && age >= 0 {
		return age, nil
	}
	for unit, days := range map[string]int{"d": 1, "w": 7} {
		number, ok := strings.CutSuffix(s, unit)
		if n, err := strconv.ParseUint(number, 10, 32); ok && err == nil && number == strconv.FormatUint(n, 10) && n*uint64(days) <= maxDays {
			return time.Duration(n) * time.Duration(days) * 24 * time.Hour, nil
		}
	}
	return 0, fmt.Errorf("%q is not an age; write 36h, 30d or 4w", s)
}
