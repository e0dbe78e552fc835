// Package eventlog writes what the credential helper has to say beside its
// answer: warnings to stderr, one line each, and if ECRKIT_LOG asks for it each
// decision, to stderr or to a file. Without it nothing is written on success.
package eventlog

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/ecrkit/ecrkit/internal/safetext"
)

// Variable is the environment variable that turns the debug log on: "debug", or
// "debug:FILE".
const Variable = "ECRKIT_LOG"

// Open makes a logger that writes warnings to stderr as "NAME: MESSAGE", and the
// debug log where setting, the value of [Variable], says. An error is of the
// setting or the file; the logger then still warns.
func Open(name, setting string, stderr io.Writer) (logger *slog.Logger, closeLog func() error, err error) {
	warnings := &warningHandler{name: name, w: stderr}
	closeLog = func() error { return nil }
	level, path, _ := strings.Cut(setting, ":")
	switch {
	case setting == "":
		return slog.New(warnings), closeLog, nil
	case level != "debug":
		return slog.New(warnings), closeLog, fmt.Errorf("%s=%s: write debug or debug:FILE", Variable, setting)
	case path == "":
		return slog.New(debugHandler(stderr)), closeLog, nil
	}
	file, err := openRotated(path)
	if err != nil {
		return slog.New(warnings), closeLog, fmt.Errorf("%s: %w", Variable, err)
	}
	return slog.New(both{warnings, debugHandler(file)}), file.Close, nil
}

func debugHandler(w io.Writer) slog.Handler {
	return slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug})
}

// warningHandler writes the message of a warning or an error as a line.
type warningHandler struct {
	name string
	w    io.Writer
}

func (h *warningHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn
}

func (h *warningHandler) Handle(_ context.Context, r slog.Record) error {
	_, err := fmt.Fprintf(h.w, "%s: %s\n", h.name, safetext.Line(safetext.MaskUsers(r.Message)))
	return err
}

func (h *warningHandler) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h *warningHandler) WithGroup(string) slog.Handler      { return h }

// both passes a record to two handlers.
type both [2]slog.Handler

func (b both) Enabled(ctx context.Context, level slog.Level) bool {
	return b[0].Enabled(ctx, level) || b[1].Enabled(ctx, level)
}

func (b both) Handle(ctx context.Context, r slog.Record) error {
	var first error
	for _, h := range b {
		if !h.Enabled(ctx, r.Level) {
			continue
		}
		if err := h.Handle(ctx, r.Clone()); err != nil && first == nil {
			first = err
		}
	}
	return first
}

func (b both) WithAttrs(attrs []slog.Attr) slog.Handler {
	return both{b[0].WithAttrs(attrs), b[1].WithAttrs(attrs)}
}

func (b both) WithGroup(name string) slog.Handler {
	return both{b[0].WithGroup(name), b[1].WithGroup(name)}
}
