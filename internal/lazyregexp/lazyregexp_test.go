package lazyregexp

import (
	"reflect"
	"regexp"
	"sync"
	"testing"
)

func TestSameAsRegexp(t *testing.T) {
	const syntax, text = `(a+)(b?)`, "xaab ab a"
	lazy, eager := New(syntax), regexp.MustCompile(syntax)
	for _, c := range []struct{ got, want any }{
		{lazy.String(), eager.String()},
		{lazy.MatchString(text), eager.MatchString(text)},
		{lazy.FindString(text), eager.FindString(text)},
		{lazy.FindStringSubmatch(text), eager.FindStringSubmatch(text)},
		{lazy.FindAllString(text, 2), eager.FindAllString(text, 2)},
		{lazy.ReplaceAllString(text, "$2$1"), eager.ReplaceAllString(text, "$2$1")},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("%v, want %v", c.got, c.want)
		}
	}
}

func TestMistakesShowInTests(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a wrong expression is taken")
		}
	}()
	New(`(`)
}

func TestLazyOutsideOfTests(t *testing.T) {
	inTest = false
	defer func() { inTest = true }()
	compiled := New(`^a$`)
	New(`(`) // not compiled, not noticed
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if !compiled.MatchString("a") {
				t.Error("no match")
			}
		})
	}
	all.Wait()
}
