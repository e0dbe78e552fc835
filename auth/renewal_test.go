package auth

import (
	"testing"
	"time"
)

// R14: a token is renewed at half of its life, not all of them at once.
func TestRenewAt(t *testing.T) {
	issued := time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	token := Token{Secret: "s", IssuedAt: issued, ExpiresAt: issued.Add(12 * time.Hour)}
	earliest, latest := 5*time.Hour+42*time.Minute, 6*time.Hour+18*time.Minute
	seen := map[time.Time]bool{}
	for range 1000 {
		at := renewAt(token)
		if age := at.Sub(issued); age < earliest || age > latest {
			t.Errorf("renewed at the age of %v, want %v to %v", age, earliest, latest)
		}
		seen[at] = true
	}
	if len(seen) < 900 {
		t.Errorf("%d different times for 1000 tokens", len(seen))
	}
}
