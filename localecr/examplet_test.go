package localecr_test

import (
	"fmt"
	"os"
)

// An exampleT does for an example what a *testing.T does for a test.
type exampleT struct{ cleanups []func() }

func (*exampleT) Helper() {}

func (t *exampleT) Cleanup(f func()) { t.cleanups = append(t.cleanups, f) }

func (*exampleT) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

func (t *exampleT) Setenv(name, value string) {
	before, set := os.LookupEnv(name)
	if err := os.Setenv(name, value); err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() {
		err := os.Unsetenv(name)
		if set {
			err = os.Setenv(name, before)
		}
		if err != nil {
			t.Fatalf("%v", err)
		}
	})
}

func (t *exampleT) end() {
	for len(t.cleanups) > 0 {
		last := len(t.cleanups) - 1
		f := t.cleanups[last]
		t.cleanups = t.cleanups[:last]
		f()
	}
}
