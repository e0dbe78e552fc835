package cli

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
)

// TestMessageLog writes messages of a command whose log is JSON: each is one line of it.
func TestMessageLog(t *testing.T) {
	t.Parallel()
	var log, text strings.Builder
	app := &App{Stderr: &text, callLog: slog.New(slog.NewJSONHandler(&log, nil))}
	app.Messagef("warning: %s sends the calls\nelsewhere", "AWS_ENDPOINT_URL_ECR")
	var line struct{ Level, Msg, Text string }
	if err := json.Unmarshal([]byte(log.String()), &line); err != nil || strings.Count(log.String(), "\n") != 1 {
		t.Errorf("%v: %s", err, log.String())
	}
	if line.Level != "WARN" || line.Msg != "message" || line.Text != "AWS_ENDPOINT_URL_ECR sends the calls\nelsewhere" || text.Len() > 0 {
		t.Errorf("%+v; as text %q", line, text.String())
	}
}
