package cli

import (
	"time"

	"github.com/spf13/cobra"
)

// waitFlags are the flags of commands that can wait.
type waitFlags struct {
	wait    bool
	timeout time.Duration
}

// add has the flags checked before the command runs.
func (f *waitFlags) add(cmd *cobra.Command, usage string, timeout time.Duration) {
	cmd.Flags().BoolVar(&f.wait, "wait", false, usage)
	timeVar(cmd.Flags(), &f.timeout, "timeout", timeout, "how long to wait at most")
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error { return f.check(cmd) }
}

func (f waitFlags) check(cmd *cobra.Command) error {
	switch {
	case f.timeout <= 0:
		return usagef("--timeout must be more than 0")
	case cmd.Flags().Changed("timeout") && !f.wait:
		return usagef("--timeout needs --wait")
	}
	return nil
}

// limit is how long to look: 0 is once.
func (f waitFlags) limit() time.Duration {
	if !f.wait {
		return 0
	}
	return f.timeout
}

// showing shows what is waited for, if it is.
func (f waitFlags) showing(app *App, what string) (end func(), err error) {
	if !f.wait {
		return func() {}, nil
	}
	return app.waiting(what, f.timeout)
}
