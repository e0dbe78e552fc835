package governance

import "testing"

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"*", "team/app", true}, {"*", "", true}, {"", "", true}, {"app", "app", true}, {"app", "app2", false},
		{"team/*", "team/a/b", true}, {"team/*", "team", false}, {"*web*", "a/web", true}, {"*web", "web/a", false},
		{"a*a", "a", false}, {"a*a", "aa", true}, {"a*b*c", "abc", true}, {"a*b*c", "acb", false}, {"a**c", "ac", true}, {"a.c", "abc", false},
	} {
		if got := Matches(c.pattern, c.name); got != c.want {
			t.Errorf("Matches(%q, %q) = %v", c.pattern, c.name, got)
		}
	}
}
