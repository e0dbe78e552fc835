package audit

import (
	"cmp"
	"io"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/codequality"
	"github.com/ecrkit/ecrkit/internal/markdown"
)

// qualitySeverities are GitLab's words.
var qualitySeverities = map[Severity]string{Critical: "blocker", High: "critical", Medium: "major", Low: "minor"}

// writeCodeQuality writes the findings. A repository that could not be read is an issue too, so
// that an empty report means that every control passed.
func (r Report) writeCodeQuality(w io.Writer) error {
	var issues []codequality.Issue
	for _, failure := range r.Failed {
		text := markdown.OneLine(failure)
		issues = append(issues, codequality.Issue{Description: text, Check: "not audited", Fingerprint: digest.FromString(text).Encoded(), Severity: "blocker", Location: codequality.At(r.Host)})
	}
	for _, s := range r.subjects() {
		for _, f := range s.findings {
			identity := s.place + " " + f.ID
			if f.Object != "" {
				identity += " " + f.Object
			}
			issues = append(issues, codequality.Issue{
				Description: markdown.OneLine(f.Text), Check: f.ID, Fingerprint: digest.FromString(identity).Encoded(),
				Severity: cmp.Or(qualitySeverities[f.Severity], "info"), Location: codequality.At(s.place),
			})
		}
	}
	return codequality.Write(w, issues)
}
