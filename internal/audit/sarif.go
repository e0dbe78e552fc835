package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/ecrkit/ecrkit/internal/markdown"
	"github.com/ecrkit/ecrkit/internal/sarif"
)

func (r Report) writeSARIF(w io.Writer, version string) error {
	invocation := sarif.Invocation{ExecutionSuccessful: len(r.Failed) == 0, EndTimeUTC: r.At.UTC().Format(time.RFC3339)}
	for _, failure := range r.Failed {
		invocation.Notifications = append(invocation.Notifications, sarif.Notification{
			Level: sarif.LevelError, Message: sarif.Message{Text: markdown.OneLine(failure)},
		})
	}
	for _, text := range r.NotChecked {
		invocation.Notifications = append(invocation.Notifications, sarif.Notification{
			Level: sarif.LevelNote, Message: sarif.Message{Text: markdown.OneLine(text)},
		})
	}
	run := sarif.Run{ColumnKind: "utf16CodeUnits", Invocations: []sarif.Invocation{invocation}}
	run.Tool.Driver = sarif.Driver{Name: "ecrkit repo audit", Version: version, InformationURI: sarif.InformationURI}
	index := map[string]int{}
	for _, c := range r.controls() {
		if slices.Contains(r.Skipped, c.ID) {
			continue
		}
		index[c.ID] = len(run.Tool.Driver.Rules)
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarif.Rule{
			ID: c.ID, ShortDescription: sarif.Message{Text: c.Title}, FullDescription: &sarif.Message{Text: c.Why},
			Help: &sarif.Message{Text: c.Why}, HelpURI: c.URI,
			DefaultConfiguration: sarif.Configuration{Level: sarifLevel(c.Severity)},
			Properties:           map[string]any{"tags": []string{"security"}, "security-severity": securitySeverity(c.Severity)},
		})
	}
	for _, s := range r.subjects() {
		kind, fingerprint := "repository", "repositoryControl/v1"
		if s.registry {
			kind, fingerprint = "registry", "registryControl/v1"
		}
		for _, f := range s.findings {
			identity := f.ID + "\x00" + s.arn
			if f.Object != "" {
				identity += "\x00" + f.Object
			}
			sum := sha256.Sum256([]byte(identity))
			run.Results = append(run.Results, sarif.Result{
				RuleID: f.ID, RuleIndex: index[f.ID], Level: sarifLevel(f.Severity),
				Message: sarif.Message{Text: markdown.OneLine(s.name + ": " + f.Text + ". Fix: " + f.Command)},
				Locations: []sarif.Location{{
					PhysicalLocation: sarif.PhysicalLocation{
						ArtifactLocation: sarif.ArtifactLocation{URI: strings.ReplaceAll(s.name, ":", "%3A")}, // of a port; no other character needs an escape
						Region:           &sarif.Region{StartLine: 1},                                         // viewers of code show nothing without a line
					},
					LogicalLocations: []sarif.LogicalLocation{{Name: s.name, FullyQualifiedName: s.arn, Kind: kind}},
				}},
				PartialFingerprints: map[string]string{fingerprint: hex.EncodeToString(sum[:16])},
				Properties:          map[string]any{"severity": f.Severity, "command": f.Command, "placeholders": f.Placeholders},
			})
		}
	}
	return sarif.Write(w, run)
}

func sarifLevel(s Severity) string {
	switch s {
	case Critical, High:
		return sarif.LevelError
	case Medium:
		return sarif.LevelWarning
	}
	return sarif.LevelNote
}

// securitySeverity returns the number from which GitHub derives a severity.
func securitySeverity(s Severity) string {
	return map[Severity]string{Critical: "9.0", High: "7.0", Medium: "4.0", Low: "0.1"}[s]
}
