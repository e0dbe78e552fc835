package wildcard

import "testing"

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"*", "team/app", true}, {"*", "", true}, {"", "", true}, {"app", "app", true}, {"app", "app2", false},
		{"team/*", "team/a/b", true}, {"team/*", "team", false}, {"*web*", "a/web", true}, {"*web", "web/a", false},
		{"a*a", "a", false}, {"a*a", "aa", true}, {"a*b*c", "abc", true}, {"a*b*c", "acb", false}, {"a**c", "ac", true}, {"a.c", "abc", false},
		{"*/app", "x/y/app", true}, {"a*c*e", "abcde", true}, {"a*c*e", "abde", false}, {"*b*", "abc", true}, {"**", "x", true}, {"[a]", "a", false},
	} {
		if got := Match(c.pattern, c.name); got != c.want {
			t.Errorf("Match(%q, %q) = %v", c.pattern, c.name, got)
		}
	}
}
