package lifecycle

import (
	"fmt"
	"strconv"
	"strings"
)

// Limit is how many images a policy may expire.
type Limit struct {
	images  int
	percent float64 // of all images
	isShare bool    // percent counts, not images
}

// ParseLimit reads a number of images, "20", or a percentage of all images, "10%".
func ParseLimit(s string) (Limit, error) {
	if share, ok := strings.CutSuffix(s, "%"); ok {
		percent, err := strconv.ParseFloat(share, 64)
		if err != nil || !(percent >= 0 && percent <= 100) {
			return Limit{}, fmt.Errorf("%q is not a percentage; write, for example, 10%%", s)
		}
		return Limit{percent: percent, isShare: true}, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return Limit{}, fmt.Errorf("%q is neither a number of images nor a percentage; write, for example, 20 or 10%%", s)
	}
	return Limit{images: n}, nil
}

func (l Limit) String() string {
	if l.isShare {
		return strconv.FormatFloat(l.percent, 'f', -1, 64) + "%"
	}
	return strconv.Itoa(l.images)
}

// Allows reports whether the evaluation expires no more than the limit.
func (l Limit) Allows(s Summary) bool {
	if l.isShare {
		return float64(s.Expire)*100 <= l.percent*float64(s.Images)
	}
	return s.Expire <= l.images
}
