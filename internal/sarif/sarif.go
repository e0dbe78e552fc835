// Package sarif has the part of SARIF 2.1.0 that our reports use.
// https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
package sarif

import (
	"encoding/json"
	"io"
)

// Levels of results and notifications.
const (
	LevelError   = "error"
	LevelWarning = "warning"
	LevelNote    = "note"
)

// InformationURI is where the tool comes from.
const InformationURI = "https://github.com/ecrkit/ecrkit"

// Log is the file.
type Log struct {
	Schema  string `json:"$schema"`
	Version string `json:"version"`
	Runs    []Run  `json:"runs"`
}

// Run is what one run of a tool found.
type Run struct {
	Tool        Tool         `json:"tool"`
	Invocations []Invocation `json:"invocations,omitempty"`
	ColumnKind  string       `json:"columnKind,omitempty"`
	Results     []Result     `json:"results"` // never nil: that would say that nothing was looked at
}

// Tool is what found it.
type Tool struct {
	Driver Driver `json:"driver"`
}

// Driver is the tool without its extensions.
type Driver struct {
	Name           string `json:"name"`
	Version        string `json:"version,omitempty"`
	InformationURI string `json:"informationUri,omitempty"`
	Rules          []Rule `json:"rules"`
}

// Rule is what results are instances of.
type Rule struct {
	ID                   string         `json:"id"`
	ShortDescription     Message        `json:"shortDescription"`
	FullDescription      *Message       `json:"fullDescription,omitempty"`
	Help                 *Message       `json:"help,omitempty"`
	HelpURI              string         `json:"helpUri,omitempty"`
	DefaultConfiguration Configuration  `json:"defaultConfiguration"`
	Properties           map[string]any `json:"properties,omitempty"`
}

// Configuration has the level of a rule.
type Configuration struct {
	Level string `json:"level"`
}

// Message is a text.
type Message struct {
	Text     string `json:"text"`
	Markdown string `json:"markdown,omitempty"`
}

// Result is one finding.
type Result struct {
	RuleID              string            `json:"ruleId"`
	RuleIndex           int               `json:"ruleIndex"`
	Level               string            `json:"level"`
	Message             Message           `json:"message"`
	Locations           []Location        `json:"locations"`
	PartialFingerprints map[string]string `json:"partialFingerprints,omitempty"`
	// Suppressions are nil in all results of a run or in none.
	Suppressions *[]Suppression `json:"suppressions,omitempty"`
	Properties   map[string]any `json:"properties,omitempty"`
}

// Location is where it was found.
type Location struct {
	PhysicalLocation PhysicalLocation  `json:"physicalLocation"`
	LogicalLocations []LogicalLocation `json:"logicalLocations,omitempty"`
	Message          *Message          `json:"message,omitempty"`
}

// PhysicalLocation is a file.
type PhysicalLocation struct {
	ArtifactLocation ArtifactLocation `json:"artifactLocation"`
	Region           *Region          `json:"region,omitempty"`
}

// ArtifactLocation is a URI reference.
type ArtifactLocation struct {
	URI string `json:"uri"`
}

// Region is a place in a file, from line 1.
type Region struct {
	StartLine int `json:"startLine"`
}

// LogicalLocation is a place that is no file.
type LogicalLocation struct {
	Name               string `json:"name,omitempty"`
	FullyQualifiedName string `json:"fullyQualifiedName,omitempty"`
	Kind               string `json:"kind,omitempty"`
}

// Suppression is why a result does not count.
type Suppression struct {
	Kind          string `json:"kind"` // external: not said in the code
	Status        string `json:"status,omitempty"`
	Justification string `json:"justification,omitempty"`
}

// Invocation is how the tool ran.
type Invocation struct {
	ExecutionSuccessful bool           `json:"executionSuccessful"`
	EndTimeUTC          string         `json:"endTimeUtc,omitempty"`
	Notifications       []Notification `json:"toolExecutionNotifications,omitempty"`
}

// Notification is a message of the tool about itself.
type Notification struct {
	Level   string  `json:"level"`
	Message Message `json:"message"`
}

// Write writes a file of one run.
func Write(w io.Writer, run Run) error {
	if run.Results == nil {
		run.Results = []Result{}
	}
	if run.Tool.Driver.Rules == nil {
		run.Tool.Driver.Rules = []Rule{}
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(Log{
		Schema:  "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
		Version: "2.1.0",
		Runs:    []Run{run},
	})
}
