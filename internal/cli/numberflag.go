package cli

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/spf13/pflag"
)

// maxConnections is the largest number of connections, layers and repositories at once that a flag
// takes: more would only run out of file descriptors.
const maxConnections = 1000

// maxWait is the longest time that a flag takes.
const maxWait = 366 * 24 * time.Hour

// numberFlag is a flag that takes a number in a range. The zero value of what it sets is the default.
type numberFlag struct {
	value     *int
	low, high int
}

// numberVar adds a flag that takes the numbers from low to high.
func numberVar(flags *pflag.FlagSet, value *int, name string, low, high int, usage string) {
	flags.Var(&numberFlag{value, low, high}, name, usage)
}

func (f *numberFlag) String() string { return strconv.Itoa(*f.value) }
func (f *numberFlag) Type() string   { return "int" }
func (f *numberFlag) Set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < f.low || n > f.high {
		return errors.New("must be " + f.wants())
	}
	*f.value = n
	return nil
}

// wants says which numbers the flag takes.
func (f *numberFlag) wants() string {
	if f.high == math.MaxInt32 {
		return fmt.Sprintf("a whole number, %d or more", f.low)
	}
	return fmt.Sprintf("a whole number from %d to %d", f.low, f.high)
}

// timeFlag is a flag that takes a length of time.
type timeFlag struct{ value *time.Duration }

// timeVar adds a flag that takes a length of time from 0.
func timeVar(flags *pflag.FlagSet, value *time.Duration, name string, usual time.Duration, usage string) {
	*value = usual
	flags.Var(&timeFlag{value}, name, usage)
	if usual == 0 {
		flags.Lookup(name).DefValue = "0" // is not shown
	}
}

func (f *timeFlag) String() string { return f.value.String() }
func (f *timeFlag) Type() string   { return "duration" }
func (f *timeFlag) Set(s string) error {
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 || d > maxWait {
		return fmt.Errorf("must be a duration, such as 90s or 5m, of at most %.0fh", maxWait.Hours())
	}
	*f.value = d
	return nil
}
