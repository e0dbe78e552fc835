// Package cli is the command ecrkit: one file a command. Nothing in it reads a
// global; the AWS SDK alone reads the environment of the process by itself.
package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/internal/calls/retry"
	"github.com/ecrkit/ecrkit/internal/ci"
	"github.com/ecrkit/ecrkit/internal/codepages"
	"github.com/ecrkit/ecrkit/internal/safetext"
	"github.com/ecrkit/ecrkit/internal/settings"
	"github.com/ecrkit/ecrkit/internal/strictyaml"
	"github.com/ecrkit/ecrkit/internal/ui"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

// App is what a command may use of the world.
type App struct {
	Stdin  io.Reader
	Stdout io.Writer // results only, made printable
	Stderr io.Writer // messages, made printable; safe for concurrent use
	// RawStdout takes the bytes of a file; nil is Stdout.
	RawStdout io.Writer
	// Terminal takes what moves the cursor, with Stderr; nil is Stderr.
	Terminal io.Writer
	// TerminalSize returns the columns and rows of the terminal that Stderr is; nil if
	// it is none.
	TerminalSize func() (columns, rows int, err error)
	// StdoutSize is the same of the terminal that Stdout is.
	StdoutSize func() (columns, rows int, err error)
	// Interactive reports whether Stdin is a terminal, at which questions can be answered.
	Interactive bool
	Env         func(key string) (string, bool) // as os.LookupEnv
	Now         func() time.Time

	// The global flags.
	Output  outputFormat
	Quiet   bool
	Verbose bool

	inGitHub     bool         // --github
	oidcRole     string       // --oidc-role
	callLog      *slog.Logger // of messages, and of calls with Verbose; nil writes lines of text to Stderr
	log          io.Writer    // the stream of Stderr, for workflow commands alone
	progressMode ui.Mode      // --progress; "" if it was not given
	compression  string       // --compression; "" if it was not given

	opening sync.Mutex
	opened  *ref.Opener // nil until the first endpoint is opened

	running context.Context // the command; nil is not Main
	noHelp  error           // why --help has nothing to show
	input   io.Reader       // Stdin, whose reads end with the context
	result  []byte          // JSON that is written when the command ends
	// resultBegun reports whether a JSON object was written to stdout but for the brace that ends it.
	resultBegun bool
	streamed    bool            // stdout has the bytes of a file, to which no JSON may be added
	written     map[string]bool // HOST/NAME of the repositories that the command writes to
	listening   sync.Map        // addresses on this machine where something listens
	elsewhere   sync.Map        // hosts whose API calls go to another registry, with a note on it
}

// Main runs the command with args (without the program's name) and returns its
// exit code. env looks up an environment variable as os.LookupEnv does.
func Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, env func(string) (string, bool)) int {
	codepages.Release() // what has initialized the program
	environment := settings.WithHome(env)
	terminal := &lockedWriter{w: stderr}
	app := &App{
		Stdin:     stdin,
		Stdout:    safetext.NewWriter(stdout),
		RawStdout: stdout,
		Terminal:  terminal,
		log:       terminal,
		Now:       time.Now,
		Output:    outputText,
	}
	app.Env = func(key string) (string, bool) {
		if key == auth.OIDCRoleVariable && app.oidcRole != "" {
			return app.oidcRole, true
		}
		return environment(key)
	}
	app.Stderr = safetext.NewWriter(&messages{app: app, plain: app.log, disarmed: ci.Disarmed(app.log)})
	if f, ok := stderr.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		app.TerminalSize = func() (columns, rows int, err error) { return term.GetSize(int(f.Fd())) }
	}
	if f, ok := stdout.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		app.StdoutSize = func() (columns, rows int, err error) { return term.GetSize(int(f.Fd())) }
	}
	if f, ok := stdin.(*os.File); ok {
		app.Interactive = term.IsTerminal(int(f.Fd()))
	}
	ctx = retry.WithReached(ctx, func(what string, most time.Duration) {
		app.Messagef("waiting for %s, for at most %s", what, most.Round(time.Second))
	})
	app.running = ctx
	only := ""
	if len(args) > 0 {
		only = args[0]
	}
	root := newRootCommand(app, only)
	if asksForCompletion(args) {
		completeReferences(app, root)
		completeEnumerations(root)
	}
	if err := checkDashes(args); err != nil {
		return app.end(ctx, root, args, err)
	}
	root.SetArgs(args)
	root.SetIn(app.Stdin)
	root.SetOut(app.Stdout)
	root.SetErr(app.Stderr)
	if stdin != nil {
		app.input = newInput(ctx, stdin)
	}
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		err = app.noHelp
	}
	return app.end(ctx, cmd, args, err)
}

// end reports how a command ended: the error, if any, on stderr, and with --output json
// with the result on stdout. It returns the exit code.
func (app *App) end(ctx context.Context, cmd *cobra.Command, args []string, err error) int {
	if err != nil && missesFile(args, err) {
		err = usageError{err}
	}
	code := exitCode(ctx, err)
	var f *failure
	if err != nil {
		text := maskUserOf(args, app.message(ctx, cmd, err))
		app.sayError(text)
		if caret := strictyaml.Caret(err); caret != "" {
			app.say(caret)
		}
		if app.wantsJSON(args) && !app.streamed {
			made := newFailure(objectOf(cmd.Flags().Args(), text), err)
			made.Code, made.Message, made.Object = failureCode(err), text, maskUserOf(args, made.Object)
			if code == exitInterrupted {
				made.Code = "interrupted"
			}
			f = &made
		}
	}
	if err := app.flushResult(f); err != nil {
		fmt.Fprintf(app.Stderr, "ecrkit: %v\n", err)
		return cmp.Or(code, exitFailed)
	}
	return code
}

// message is the text of an error for people, with advice.
func (app *App) message(ctx context.Context, cmd *cobra.Command, err error) string {
	if !interrupted(ctx, err) {
		return app.advised(ctx, cmd, err)
	}
	if parent := cmd.Parent(); parent == cmd.Root() && resumes[cmd.Name()] || parent != nil && parent.Name() == "mirror" && mirrorResumes(cmd) {
		return "interrupted; run the command again to resume"
	}
	return "interrupted"
}

// mirrorResumes reports whether a command of `ecrkit mirror` continues where the one before it was interrupted. A stream is made
// again by the other side of the pipe too.
func mirrorResumes(cmd *cobra.Command) bool {
	switch cmd.Name() {
	case "apply":
		return true
	case "export":
		return cmd.Flags().Lookup("to").Value.String() != ref.StandardStream
	case "import":
		return !slices.Contains(cmd.Flags().Args(), ref.StandardStream)
	}
	return false
}

// resumes are the commands that continue where the one before them was interrupted.
var resumes = map[string]bool{"push": true, "pull": true, "copy": true}

// wantsJSON reports whether errors are to be written as JSON too. A mistake in the
// command line can hide the flag --output.
func (app *App) wantsJSON(args []string) bool {
	if app.Output == outputJSON {
		return true
	}
	for i, arg := range args {
		switch arg {
		case "--output=json", "-o=json", "-ojson":
			return true
		case "--output", "-o":
			if i+1 < len(args) && args[i+1] == "json" {
				return true
			}
		case "--":
			return false
		}
	}
	return false
}

// rawStdout is where the bytes of a file go: as they are, except on a terminal.
func (app *App) rawStdout() io.Writer {
	if app.RawStdout == nil || app.StdoutSize != nil {
		return app.Stdout
	}
	return app.RawStdout
}

// columns is how wide the terminal is that Stdout is, 0 if it is not one.
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

// usagef makes an error that ends the command with exit code 2.
func usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

// Messagef writes a line for people to stderr, unless they want quiet.
func (app *App) Messagef(format string, args ...any) {
	if !app.Quiet {
		if app.callLog != nil {
			app.callLog.Warn("message", "text", strings.TrimPrefix(fmt.Sprintf(format, args...), "warning: "))
			return
		}
		// Further lines are indented, so that the text of a stranger in it is no message of its own.
		app.say(strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", "\n  "))
	}
}

// dryRunDone ends a dry run: what was printed did not happen.
func (app *App) dryRunDone() { app.Messagef("dry run: nothing was changed") }

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
