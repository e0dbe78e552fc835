package scan

import (
	"cmp"
	"io"

	"github.com/ecrkit/ecrkit/internal/codequality"
)

// qualitySeverities are GitLab's words.
var qualitySeverities = map[Severity]string{Critical: "blocker", High: "critical", Medium: "major", Low: "minor"}

// writeCodeQuality writes the findings that are not ignored. An image without a result is an
// issue too, so that an empty report means that nothing was found.
func (v Verdict) writeCodeQuality(w io.Writer) error {
	var issues []codequality.Issue
	for _, i := range v.Images {
		place := codequality.At(cmp.Or(oneLine(i.Repository), oneLine(i.title())))
		if i.Outcome == NoResult || !i.Status.Done() && i.Outcome == "" {
			missing := Finding{ID: "no scan result"}
			issues = append(issues, codequality.Issue{
				Description: oneLine(i.title()) + ": there is no scan result: " + oneLine(i.Reason), Check: missing.ID,
				Fingerprint: i.fingerprint(missing), Severity: "blocker", Location: place,
			})
		}
		for _, j := range i.Judged {
			if j.Decision == Ignored {
				continue
			}
			issues = append(issues, codequality.Issue{
				Description: oneLine(j.advice()), Check: oneLine(j.ID), Fingerprint: i.fingerprint(j.Finding),
				Severity: cmp.Or(qualitySeverities[j.Severity], "info"), Location: place,
			})
		}
	}
	return codequality.Write(w, issues)
}
