// Package cli is the command ecrkit: one file a command. Nothing in it reads a
// global; the AWS SDK alone reads the environment of the process by itself.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/ecrkit/ecrkit/internal/governance"
	"github.com/ecrkit/ecrkit/internal/settings"
	"github.com/ecrkit/ecrkit/internal/ui"
	"github.com/ecrkit/ecrkit/scan"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

// Exit codes of ecrkit.
const (
	exitDone      = 0
	exitFailed    = 1
	exitUsage     = 2
	exitPartly    = 3 // some of several things were done
	exitIntegrity = 4 // content or a signature is not what it should be
	exitConflict  = 5 // an immutable tag, a policy gate
)

// App is what a command may use of the world.
type App struct {
	Stdin  io.Reader
	Stdout io.Writer // results only
	Stderr io.Writer // messages; safe for concurrent use
	// TerminalSize gives the columns and rows of the terminal that Stderr is; nil if
	// it is none.
	TerminalSize func() (columns, rows int, err error)
	// StdoutSize is the same of the terminal that Stdout is.
	StdoutSize func() (columns, rows int, err error)
	// Interactive says that Stdin is a terminal, at which questions can be answered.
	Interactive bool
	Env         func(key string) (string, bool) // as os.LookupEnv
	Now         func() time.Time

	// The global flags.
	Output  outputFormat
	Quiet   bool
	Verbose bool

	progressMode ui.Mode // --progress; "" if it was not given
	compression  string  // --compression; "" if it was not given

	opening sync.Mutex
	opened  *ref.Opener // nil until the first endpoint is opened
}

// Main runs the command with args (without the program's name) and returns its
// exit code. env looks up an environment variable as os.LookupEnv does.
func Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, env func(string) (string, bool)) int {
	app := &App{
		Stdin:  stdin,
		Stdout: stdout,
		Stderr: &lockedWriter{w: stderr},
		Env:    settings.WithHome(env),
		Now:    time.Now,
		Output: outputText,
	}
	if f, ok := stderr.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		app.TerminalSize = func() (columns, rows int, err error) { return term.GetSize(int(f.Fd())) }
	}
	if f, ok := stdout.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		app.StdoutSize = func() (columns, rows int, err error) { return term.GetSize(int(f.Fd())) }
	}
	if f, ok := stdin.(*os.File); ok {
		app.Interactive = term.IsTerminal(int(f.Fd()))
	}
	root := newRootCommand(app)
	root.SetArgs(args)
	root.SetIn(app.Stdin)
	root.SetOut(app.Stdout)
	root.SetErr(app.Stderr)
	err := root.ExecuteContext(ctx)
	if err != nil {
		fmt.Fprintf(app.Stderr, "ecrkit: %v\n", message(ctx, err))
	}
	return exitCode(err)
}

// columns is how wide the terminal is that Stdout is, 0 if it is none.
func (app *App) columns() int {
	if app.StdoutSize == nil {
		return 0
	}
	columns, _, err := app.StdoutSize()
	if err != nil {
		return 0
	}
	return columns
}

// terminalColumns is the same of Stderr.
func (app *App) terminalColumns() int {
	if app.TerminalSize == nil {
		return 0
	}
	columns, _, err := app.TerminalSize()
	if err != nil {
		return 0
	}
	return columns
}

// message is the text of err for the user.
func message(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return errors.New("interrupted")
	}
	return err
}

// usageError is a mistake in the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// usagef makes an error that ends the command with exit code 2.
func usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

func exitCode(err error) int {
	var usage usageError
	var some partlyError
	var gate gateError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &some):
		return exitPartly
	case errors.Is(err, content.ErrIntegrity), errors.Is(err, governance.ErrNotSigned), isRefusal(err):
		return exitIntegrity
	case errors.Is(err, content.ErrConflict), errors.Is(err, scan.ErrGate), errors.As(err, &gate):
		return exitConflict
	}
	return exitFailed
}

// Messagef writes a line for people to stderr, unless they want quiet.
func (app *App) Messagef(format string, args ...any) {
	if !app.Quiet {
		fmt.Fprintf(app.Stderr, format+"\n", args...)
	}
}

// PrintResult writes the result of a command to stdout: as one line of JSON, or
// as text, whatever --output says.
func (app *App) PrintResult(result any, text string) error {
	if app.Output == outputJSON {
		return json.NewEncoder(app.Stdout).Encode(result)
	}
	_, err := io.WriteString(app.Stdout, text)
	return err
}

// settings reads the environment and the configuration file.
func (app *App) settings() (settings.Settings, error) {
	s, err := settings.Load(app.Env)
	if err != nil {
		return s, usageError{err}
	}
	return s, nil
}

// outputFormat is the value of --output.
type outputFormat string

const (
	outputText outputFormat = "text"
	outputJSON outputFormat = "json"
)

func (o *outputFormat) String() string { return string(*o) }
func (o *outputFormat) Type() string   { return "text|json" }
func (o *outputFormat) Set(s string) error {
	if f := outputFormat(s); f == outputText || f == outputJSON {
		*o = f
		return nil
	}
	return errors.New("must be text or json")
}

// lockedWriter lets the calls of one operation log at the same time.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
