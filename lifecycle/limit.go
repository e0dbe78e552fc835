package lifecycle

import (
	"fmt"
	"strconv"
	"strings"
)

// ExpiryLimit is how many images a policy may expire.
type ExpiryLimit struct {
	images  int
	percent float64 // of all images
	isShare bool    // percent counts, not images
}

// ParseExpiryLimit reads a number of images, "20", or a percentage of all images, "10%".
func ParseExpiryLimit(s string) (ExpiryLimit, error) {
	if share, ok := strings.CutSuffix(s, "%"); ok {
		percent, err := strconv.ParseFloat(share, 64)
		if err != nil || !(percent >= 0 && percent <= 100) {
			return ExpiryLimit{}, fmt.Errorf("%q is not a percentage; write, for example, 10%%", s)
		}
		return ExpiryLimit{percent: percent, isShare: true}, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return ExpiryLimit{}, fmt.Errorf("%q is neither a number of images nor a percentage; write, for example, 20 or 10%%", s)
	}
	return ExpiryLimit{images: n}, nil
}

func (l ExpiryLimit) String() string {
	if l.isShare {
		return strconv.FormatFloat(l.percent, 'f', -1, 64) + "%"
	}
	return strconv.Itoa(l.images)
}

// Allows reports whether the evaluation expires no more than the limit.
func (l ExpiryLimit) Allows(s Summary) bool {
	if l.isShare {
		return float64(s.Expire)*100 <= l.percent*float64(s.Images)
	}
	return s.Expire <= l.images
}
