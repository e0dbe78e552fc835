package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/pflag"

	"github.com/ecrkit/ecrkit/internal/ci"
	"github.com/ecrkit/ecrkit/internal/safetext"
)

// gitHubVariable is what GitHub Actions sets to "true" in each step.
const gitHubVariable = "GITHUB_ACTIONS"

// addGitHubFlag adds the flag --github, which is set in a step of GitHub Actions.
func (app *App) addGitHubFlag(flags *pflag.FlagSet) {
	value, _ := app.Env(gitHubVariable)
	app.inGitHub = value == "true"
	flags.BoolVar(&app.inGitHub, "github", app.inGitHub, "write commands, outputs and a summary for GitHub Actions (default in its jobs)")
	flags.Lookup("github").DefValue = "false" // the help is the same everywhere
}

// gitHub returns what GitHub Actions is told through, nil outside of it.
func (app *App) gitHub() *ci.GitHub {
	if !app.inGitHub {
		return nil
	}
	output, _ := app.Env("GITHUB_OUTPUT")
	summary, _ := app.Env("GITHUB_STEP_SUMMARY")
	return &ci.GitHub{Log: safetext.NewWriter(app.log), OutputFile: output, SummaryFile: summary}
}

// group begins a group of the log of GitHub Actions, and returns what ends it.
func (app *App) group(title string) (end func()) {
	g := app.gitHub()
	if g == nil || app.Quiet {
		return func() {}
	}
	g.Group(title)
	return g.EndGroup
}

// say writes a message to stderr; in GitHub Actions a warning is an annotation.
func (app *App) say(text string) {
	warning, ok := strings.CutPrefix(text, "warning: ")
	if g := app.gitHub(); g != nil && ok {
		g.Warning("ecrkit", warning)
		return
	}
	fmt.Fprintln(app.Stderr, text)
}

// sayError writes the error that ends a command.
func (app *App) sayError(text string) {
	if g := app.gitHub(); g != nil {
		g.Error("ecrkit", text)
		return
	}
	fmt.Fprintf(app.Stderr, "ecrkit: %s\n", text)
}

// messages is Stderr: what is written there by others is no command to GitHub Actions.
type messages struct {
	app      *App
	plain    io.Writer
	disarmed io.Writer
}

func (m *messages) Write(p []byte) (int, error) {
	if m.app.inGitHub {
		return m.disarmed.Write(p)
	}
	return m.plain.Write(p)
}

// setOutputs sets the outputs of the step about what was made.
func setOutputs(g *ci.GitHub, all []made, one bool) error {
	err := g.SetOutput("tags", strings.Join(names(all), "\n"))
	if err == nil && one {
		err = g.SetOutput("digest", string(all[0].descriptor.Digest))
	}
	if err == nil && one {
		err = g.SetOutput("image", all[0].image())
	}
	return err
}
