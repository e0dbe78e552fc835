package scan

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ecrkit/ecrkit/internal/sarif"
)

// fingerprintName names what tells a result again: the vulnerability, the packages, the
// repository and the platform, but not the tag, the digest and the versions, so that an
// alert stays the same one from image to image.
const fingerprintName = "imageVulnerability/v1"

func (v Verdict) writeSARIF(w io.Writer, version string) error {
	invocation := sarif.Invocation{ExecutionSuccessful: v.Outcome != NoResult, EndTimeUTC: v.At.UTC().Format(time.RFC3339)}
	notify := func(level, text string) {
		invocation.Notifications = append(invocation.Notifications, sarif.Notification{Level: level, Message: sarif.Message{Text: oneLine(text)}})
	}
	run := sarif.Run{ColumnKind: "utf16CodeUnits"}
	run.Tool.Driver = sarif.Driver{Name: "ecrkit scan", Version: version, InformationURI: sarif.InformationURI}
	rules := map[string]int{}
	for _, i := range v.Images {
		if i.Reason != "" {
			notify(sarif.LevelError, i.title()+": "+i.Reason)
		}
		for _, j := range i.Judged {
			id := oneLine(j.ID)
			if id == "" {
				id = "unnamed" // a rule has to have a name
			}
			index, ok := rules[id]
			if !ok {
				index = len(run.Tool.Driver.Rules)
				rules[id] = index
				run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule(id, j))
			}
			result := i.sarifResult(j)
			result.RuleID, result.RuleIndex = id, index
			if v.Outcome != "" {
				suppressions := []sarif.Suppression{}
				if j.Decision == Ignored {
					suppressions = append(suppressions, sarif.Suppression{Kind: "external", Status: "accepted", Justification: oneLine(j.Because)})
				}
				result.Suppressions = &suppressions
			}
			run.Results = append(run.Results, result)
		}
	}
	for _, warning := range v.Warnings {
		notify(sarif.LevelWarning, warning)
	}
	run.Invocations = []sarif.Invocation{invocation}
	return sarif.Write(w, run)
}

// sarifLevel returns the level of the severity by which the finding is judged, with or without a policy.
func sarifLevel(j JudgedFinding) string {
	severity := j.JudgedAs
	if severity == "" {
		severity, _ = j.judged("")
	}
	switch severity {
	case Critical, High:
		return sarif.LevelError
	case Medium:
		return sarif.LevelWarning
	}
	return sarif.LevelNote
}

func sarifRule(id string, f JudgedFinding) sarif.Rule {
	short := f.headline()
	if short == "" {
		short = id
	}
	tags := []string{"security", "vulnerability", strings.ToLower(string(f.Severity))}
	rule := sarif.Rule{
		ID:                   id,
		ShortDescription:     sarif.Message{Text: cut(short, 120)},
		HelpURI:              webAddress(f.URI),
		DefaultConfiguration: sarif.Configuration{Level: sarifLevel(f)},
		Properties:           map[string]any{"tags": tags, "precision": "very-high"},
	}
	if text := oneLine(f.Description); text != "" {
		rule.FullDescription = &sarif.Message{Text: cut(text, 1000)}
		rule.Help = &sarif.Message{Text: cut(text, 1000)}
	}
	if score := f.securitySeverity(); score != "" {
		rule.Properties["security-severity"] = score
	}
	return rule
}

// securitySeverity is the number by which GitHub tells severities. It is the score, if
// that is of the same severity, so that GitHub and the gate call a finding the same:
// the distribution often rates it lower than CVSS does.
func (f Finding) securitySeverity() string {
	if f.Score != nil && (f.Severity == Undefined || severityOfScore(*f.Score) == f.Severity) {
		return f.showScore()
	}
	return map[Severity]string{Critical: "9.0", High: "7.0", Medium: "4.0", Low: "0.1", Informational: "0.0"}[f.Severity]
}

func (i Image) sarifResult(j JudgedFinding) sarif.Result {
	text := fmt.Sprintf("%s, in %s", j.advice(), i.title())
	location := sarif.Location{
		PhysicalLocation: sarif.PhysicalLocation{
			ArtifactLocation: sarif.ArtifactLocation{URI: i.sarifURI()},
			Region:           &sarif.Region{StartLine: 1}, // viewers of code show nothing without a line
		},
		LogicalLocations: []sarif.LogicalLocation{{Name: oneLine(i.title()), FullyQualifiedName: i.qualified(), Kind: "image"}},
		Message:          &sarif.Message{Text: oneLine(i.title())},
	}
	layers := map[string]bool{"": true}
	for _, p := range j.Packages {
		if !layers[p.Layer] {
			layers[p.Layer] = true
			location.LogicalLocations = append(location.LogicalLocations, sarif.LogicalLocation{
				Name: oneLine(p.Layer), FullyQualifiedName: i.qualified() + "/" + oneLine(p.Layer), Kind: "layer",
			})
		}
	}
	properties := map[string]any{"severity": j.Severity, "packages": j.Packages}
	add := func(name string, value any, known bool) {
		if known {
			properties[name] = value
		}
	}
	add("digest", i.Digest, i.Digest != "")
	add("platform", i.Platform, i.Platform != "")
	add("fixAvailable", j.Fix, j.Fix != Unknown)
	add("exploitAvailable", j.Exploit, j.Exploit != Unknown)
	add("inUseCount", j.InUse, j.InUse != nil)
	add("decision", j.Decision, j.Decision != "")
	add("judgedAs", j.JudgedAs, j.JudgedAs != "")
	return sarif.Result{
		Level:               sarifLevel(j),
		Message:             sarif.Message{Text: oneLine(text)},
		Locations:           []sarif.Location{location},
		PartialFingerprints: map[string]string{fingerprintName: i.fingerprint(j.Finding)},
		Properties:          properties,
	}
}

// qualified names the image by its digest, if that is known.
func (i Image) qualified() string {
	if i.Digest == "" || i.Repository == "" {
		return oneLine(i.title())
	}
	return oneLine(i.Repository + "@" + string(i.Digest))
}

// sarifURI is the repository as a relative reference, which is what viewers take.
func (i Image) sarifURI() string {
	name := i.Repository
	if name == "" {
		name = i.title()
	}
	parts := strings.Split(oneLine(name), "/")
	for n, part := range parts {
		parts[n] = strings.ReplaceAll(url.PathEscape(part), ":", "%3A")
	}
	return strings.Join(parts, "/")
}

func (i Image) fingerprint(f Finding) string {
	parts := []string{f.ID, i.RegistryID, i.Repository, i.Platform}
	var packages []string
	for _, p := range f.Packages {
		packages = append(packages, p.Name+"\x00"+p.Path)
	}
	slices.Sort(packages)
	sum := sha256.Sum256([]byte(strings.Join(append(parts, packages...), "\x00")))
	return hex.EncodeToString(sum[:16])
}
