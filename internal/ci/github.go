// Package ci speaks to the systems that run jobs: the workflow commands and files of
// GitHub Actions, and the reports of GitLab.
package ci

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/ecrkit/ecrkit/internal/files"
)

// GitHub writes what GitHub Actions reads of a step. See
// https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands.
type GitHub struct {
	// Log is the log of the step. Workflow commands are lines of it.
	Log io.Writer
	// OutputFile and SummaryFile are the values of GITHUB_OUTPUT and
	// GITHUB_STEP_SUMMARY; "" is nowhere.
	OutputFile, SummaryFile string
}

// Group begins a group of lines, which the log shows folded.
func (g *GitHub) Group(title string) { g.command("group", "", title) }

// EndGroup ends the group.
func (g *GitHub) EndGroup() { g.command("endgroup", "", "") }

// Error annotates the run with an error.
func (g *GitHub) Error(title, message string) { g.command("error", title, message) }

// Warning annotates the run with a warning.
func (g *GitHub) Warning(title, message string) { g.command("warning", title, message) }

// Mask has the log show *** in the place of a secret.
func (g *GitHub) Mask(secret string) {
	if secret != "" {
		g.command("add-mask", "", secret)
	}
}

func (g *GitHub) command(name, title, message string) {
	if title != "" {
		name += " title=" + escapeProperty.Replace(title)
	}
	// What cannot be written is a log: the step ends as it would without it.
	_, _ = io.WriteString(g.Log, "::"+name+"::"+escapeData.Replace(message)+"\n")
}

// The runner decodes these (ActionCommand.cs of actions/runner).
var (
	escapeData     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	escapeProperty = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

// SetOutput sets an output of the step.
func (g *GitHub) SetOutput(name, value string) error {
	if g.OutputFile == "" {
		return nil
	}
	// A line of the value that is the delimiter would end it: nobody can guess this one.
	delimiter := "ecrkit_" + rand.Text()
	return named(outputVariable, appendTo(g.OutputFile, fmt.Sprintf("%s<<%s\n%s\n%s\n", name, delimiter, value, delimiter)))
}

// AddSummary adds Markdown to the summary of the job.
func (g *GitHub) AddSummary(markdown string) error {
	if g.SummaryFile == "" {
		return nil
	}
	return named(summaryVariable, appendTo(g.SummaryFile, markdown))
}

// Check reports whether the files can be written, before the work begins: in a container they may be
// missing although their variables are set. The error names the variable.
func (g *GitHub) Check() error {
	for _, file := range []struct{ variable, path string }{{outputVariable, g.OutputFile}, {summaryVariable, g.SummaryFile}} {
		if file.path == "" {
			continue
		}
		if info, err := os.Stat(file.path); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
			continue // a pipe, which has its reader when it is written
		}
		f, err := os.OpenFile(file.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return named(file.variable, err)
		}
		if err := f.Close(); err != nil {
			return named(file.variable, err)
		}
	}
	return nil
}

// The variables with the names of the files.
const (
	outputVariable  = "GITHUB_OUTPUT"
	summaryVariable = "GITHUB_STEP_SUMMARY"
)

func named(variable string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", variable, err)
}

// pipeTimeout bounds the wait for the reader of a pipe in the place of one of the files.
const pipeTimeout = 5 * time.Second

func appendTo(path, text string) error {
	// The runner makes these files. A pipe that nobody reads is not waited for long.
	ctx, cancel := context.WithTimeout(context.Background(), pipeTimeout)
	defer cancel()
	f, err := files.OpenAppend(ctx, path, 0o600)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(f, text); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// Disarmed returns a writer for text that others may have a part in, such as the
// message of a registry: its lines are no workflow commands.
func Disarmed(w io.Writer) io.Writer { return &disarmed{w: w, atStart: true} }

type disarmed struct {
	mu      sync.Mutex
	w       io.Writer
	atStart bool // of a line, white space aside
}

// Write is [io.Writer]. The runner looks for "::" at the start of a line, and for "##["
// in all of it.
func (d *disarmed) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out bytes.Buffer
	for i := 0; i < len(p); i++ {
		switch c := p[i]; {
		case c == '\n' || c == '\r':
			d.atStart = true
		case c == ' ' || c == '\t':
		case d.atStart && c == ':':
			out.WriteByte('\\')
			d.atStart = false
		default:
			d.atStart = false
		}
		out.WriteByte(p[i])
		if bytes.HasSuffix(out.Bytes(), []byte("##")) && i+1 < len(p) && p[i+1] == '[' {
			out.WriteByte(' ')
		}
	}
	if _, err := d.w.Write(out.Bytes()); err != nil {
		return 0, err
	}
	return len(p), nil
}
