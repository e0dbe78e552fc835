package cli

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/internal/codepages"
	"github.com/ecrkit/ecrkit/internal/ui"
)

// progressVariable sets which form progress has where no flag does.
const progressVariable = "ECRKIT_PROGRESS"

// addProgressFlag adds the flag --progress to a command that copies.
func addProgressFlag(cmd *cobra.Command, app *App) {
	cmd.Flags().Var(&app.progressMode, "progress", "form of the progress on stderr (default auto: bars on a terminal, else a line each 10 s; or $"+progressVariable+")")
}

// waiting shows on stderr that a command waits for what others do, and how long it does at
// most. It returns what ends that.
func (app *App) waiting(what string, limit time.Duration) (end func(), err error) {
	progress, err := app.newProgress()
	if err != nil {
		return nil, err
	}
	over := progress.Wait(what, limit)
	return func() {
		progress.Close() // first: without the wait, its last line would be that of a copy that begins
		over()
	}, nil
}

// newProgress begins to show progress on stderr. The caller closes it before it
// writes there itself.
//
//	progress, err := app.newProgress()
//	if err != nil {
//		return err
//	}
//	defer progress.Close()
//	options.Progress = releasing(progress.Handle)
func (app *App) newProgress() (*ui.Progress, error) {
	mode := app.progressMode
	if value, ok := app.Env(progressVariable); mode == "" && ok && value != "" {
		var err error
		if mode, err = ui.ParseMode(value); err != nil {
			return nil, usagef("%s=%s: %w", progressVariable, value, err)
		}
	}
	o := ui.Options{Mode: mode, Out: app.Stderr, Terminal: app.Terminal, TerminalSize: app.TerminalSize}
	term, _ := app.Env("TERM")
	switch {
	case app.Quiet:
		o.Mode = ui.ModeNone
	case mode == "" || mode == ui.ModeAuto:
		o.Mode = ui.ModeAuto
		if app.Verbose || term == "dumb" {
			o.Mode = ui.ModeLines // bars would be mixed with other lines
		}
	}
	codepages.Release() // what has opened the endpoints
	return ui.NewProgress(o), nil
}
