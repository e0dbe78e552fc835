package cli

import (
	"bytes"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// TestProgressMode says which of flag, variable and --quiet wins, by what is
// written of one event.
func TestProgressMode(t *testing.T) {
	tests := map[string]struct {
		args  []string
		env   string
		quiet bool
		shown bool
		usage string
	}{
		"neither":          {nil, "", false, false, ""},
		"flag":             {[]string{"--progress=json"}, "", false, true, ""},
		"variable":         {nil, "json", false, true, ""},
		"flag wins":        {[]string{"--progress", "none"}, "json", false, false, ""},
		"quiet wins":       {[]string{"--progress", "json"}, "json", true, false, ""},
		"unknown flag":     {[]string{"--progress", "loud"}, "", false, false, "must be one of auto, bars"},
		"unknown variable": {nil, "loud", false, false, "ECRKIT_PROGRESS=loud: must be one of auto, bars"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var stderr bytes.Buffer
			app := &App{Stderr: &stderr, Quiet: tt.quiet, Env: func(key string) (string, bool) {
				return tt.env, key == progressVariable
			}}
			cmd := &cobra.Command{SilenceErrors: true, SilenceUsage: true, RunE: func(*cobra.Command, []string) error {
				progress, err := app.newProgress()
				if err != nil {
					return err
				}
				defer progress.Close()
				progress.Handle(content.Event{Kind: content.EventPlanned})
				return nil
			}}
			addProgressFlag(cmd, app)
			cmd.SetArgs(tt.args)
			err := cmd.Execute()
			if tt.usage != "" {
				if err == nil || !strings.Contains(err.Error(), tt.usage) {
					t.Errorf("got %v, want %q", err, tt.usage)
				}
				return
			}
			if err != nil || (stderr.Len() > 0) != tt.shown {
				t.Errorf("err %v, stderr %q", err, stderr.String())
			}
		})
	}
}
