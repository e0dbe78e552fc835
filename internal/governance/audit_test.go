package governance

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	sarifmodel "github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
	"golang.org/x/net/html"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/scan"
	"github.com/ecrkit/ecrkit/transfer/ecr"
)

// good is a repository that misses nothing.
func good() Description {
	return Description{
		Description: ecr.Description{
			Name: "team/app", Host: "ecr.example", ARN: "arn:aws:ecr:us-east-1:111122223333:repository/team/app",
			TagMutability: "IMMUTABLE", Encryption: "KMS", KMSKey: "arn:aws:kms:us-east-1:111122223333:key/1",
		},
		ResourceTags:    map[string]string{"team": "core"},
		Scanning:        &Scanning{Type: ScanBasic, Frequency: ScanOnPush, OnPush: true},
		KeyManager:      KeyOfCustomer,
		Policy:          policyText(statement("Allow", `{"AWS":"444455556666"}`, `"ecr:BatchGetImage"`, "")),
		LifecyclePolicy: expiring(`"tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":7`, `"type":"expire"`),
	}
}

func expiring(selection, action string) json.RawMessage {
	return json.RawMessage(`{"rules":[{"rulePriority":1,"selection":{` + selection + `},"action":{` + action + `}}]}`)
}

func TestAudit(t *testing.T) {
	if f := Audit(good()); len(f) != 0 {
		t.Fatalf("what misses nothing: %+v", f)
	}
	for name, c := range map[string]struct {
		spoil func(*Description)
		want  string // ID, SEVERITY
		text  string
		mend  string
	}{
		"manual scans":     {func(d *Description) { d.Scanning = &Scanning{Frequency: ScanManually} }, "ECR.1 HIGH", "only when somebody asks", "ecrkit repo scanning add ecr.example --on-push team/app"},
		"scanning unknown": {func(d *Description) { d.Scanning = nil }, "ECR.1 HIGH", "not known", "scanning add"},
		"continuous scans": {func(d *Description) { d.Scanning = &Scanning{Type: ScanEnhanced, Frequency: ScanContinuously} }, "", "", ""},
		"own scan on push": {func(d *Description) { d.Scanning = &Scanning{Type: ScanBasic, Frequency: ScanManually, OnPush: true} }, "", "", ""},
		"that is not used": {func(d *Description) {
			d.Scanning = &Scanning{Type: ScanEnhanced, Frequency: ScanManually, OnPush: true}
		}, "ECR.1 HIGH", "", ""},
		"tags that move": {func(d *Description) { d.TagMutability = "MUTABLE" }, "ECR.2 MEDIUM", "can be moved", "ecrkit repo set ecr.example/team/app --immutable-tags"},
		"tags that move 2": {func(d *Description) {
			d.TagMutability, d.MutabilityExclusions = "MUTABLE_WITH_EXCLUSION", []string{"v*"}
		}, "ECR.2 MEDIUM", "but for v*", ""},
		"some tags move": {func(d *Description) {
			d.TagMutability, d.MutabilityExclusions = "IMMUTABLE_WITH_EXCLUSION", []string{"dev-*"}
		}, "", "", ""},
		"all tags move": {func(d *Description) {
			d.TagMutability, d.MutabilityExclusions = "IMMUTABLE_WITH_EXCLUSION", []string{"dev-*", "**"}
		}, "ECR.2 MEDIUM", "all of them", ""},
		"no lifecycle": {func(d *Description) { d.LifecyclePolicy = nil }, "ECR.3 MEDIUM", "no lifecycle policy", "ecrkit lifecycle new --untagged-older-than 14 "},
		"key of S3":    {func(d *Description) { d.Encryption, d.KMSKey, d.KeyManager = "AES256", "", "" }, "ECR.5 MEDIUM", "Amazon S3", "ecrkit repo create ecr.example/team/app-kms --kms-key KEY"},
		"key of AWS":   {func(d *Description) { d.KeyManager = KeyOfAWS }, "ECR.5 MEDIUM", "AWS manages", ""},
		"key unknown":  {func(d *Description) { d.KeyManager = "" }, "ECR.5 MEDIUM", "does not tell of arn:aws:kms:", ""},
		"no policy":    {func(d *Description) { d.Policy = nil }, "", "", ""},
		"open to pull": {func(d *Description) { d.Policy = policyText(statement("Allow", `"*"`, `"ecr:BatchGetImage"`, "")) }, "POLICY-OPEN HIGH", "any AWS account pull, by statement 1", "ecrkit repo policy rm ecr.example/team/app"},
		"open to push": {func(d *Description) { d.Policy = policyText(statement("Allow", `"*"`, `"ecr:*"`, "")) }, "POLICY-OPEN CRITICAL", "push", "ecrkit repo policy rm"},
		"others use it too": {func(d *Description) {
			d.Policy = policyText(statement("Allow", `"*"`, `"ecr:*"`, ""), statement("Allow", `{"AWS":"444455556666"}`, `"ecr:*"`, ""))
		}, "POLICY-OPEN CRITICAL", "statement 1", "ecrkit repo policy get ecr.example/team/app >policy.json"},
		"policy unknown": {func(d *Description) { d.Policy = json.RawMessage(`{"Statement":1}`) }, "POLICY-OPEN HIGH", "not understood", ""},
		"tagged only": {func(d *Description) {
			d.LifecyclePolicy = expiring(`"tagStatus":"tagged","tagPrefixList":["v"],"countType":"imageCountMoreThan","countNumber":7`, `"type":"expire"`)
		}, "UNTAGGED-KEPT LOW", "no rule", "ecrkit lifecycle get ecr.example/team/app"},
		"only archived": {func(d *Description) {
			d.LifecyclePolicy = expiring(`"tagStatus":"any","countType":"sinceImagePulled","countUnit":"days","countNumber":90`, `"type":"transition","targetStorageClass":"archive"`)
		}, "UNTAGGED-KEPT LOW", "no rule", ""},
		"untagged of the archive": {func(d *Description) {
			d.LifecyclePolicy = expiring(`"tagStatus":"untagged","storageClass":"archive","countType":"sinceImageTransitioned","countUnit":"days","countNumber":90`, `"type":"expire"`)
		}, "UNTAGGED-KEPT LOW", "no rule", ""},
		"all images": {func(d *Description) {
			d.LifecyclePolicy = expiring(`"tagStatus":"any","countType":"imageCountMoreThan","countNumber":7`, `"type":"expire"`)
		}, "", "", ""},
		"lifecycle unknown": {func(d *Description) { d.LifecyclePolicy = json.RawMessage(`{"rules":[]}`) }, "UNTAGGED-KEPT LOW", "not understood", ""},
		"no tags":           {func(d *Description) { d.ResourceTags = nil }, "RESOURCE-TAGS LOW", "no resource tags", "ecrkit repo tag ecr.example/team/app KEY=VALUE"},
	} {
		d := good()
		c.spoil(&d)
		var got, text, command string
		for _, f := range Audit(d) {
			got += f.ID + " " + string(f.Severity)
			text, command = f.Text, f.Command
		}
		if got != c.want || !strings.Contains(text, c.text) || !strings.Contains(command, c.mend) {
			t.Errorf("%s: %q, not %q: %s: %s", name, got, c.want, text, command)
		}
	}
}

// spoilt has findings with hostile texts, and one that is not known.
func spoilt(t *testing.T) AuditReport {
	t.Helper()
	bad := Description{Description: ecr.Description{Name: "team/bad", Host: "ecr.example", ARN: "arn:bad", TagMutability: "MUTABLE", Encryption: "AES256"}}
	bad.Policy = json.RawMessage(`{"Statement":{"Sid":"<img src=x>|@all\u001b[2J","Effect":"Allow","Principal":"*","Action":"*"}}`)
	r := &Registry{Registry: auth.Registry{Host: "ecr.example", Account: "111122223333", Region: "us-east-1"}}
	return NewAuditReport(r, "*", []Description{bad, good()}, []error{errors.New("team/gone: <b>no</b>")}, []string{ControlTags}, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
}

func TestAuditReport(t *testing.T) {
	r := spoilt(t)
	if r.Summary.Repositories != 2 || r.Summary.Clean != 1 || r.Summary.Findings != 5 || r.Summary.BySeverity[SeverityCritical] != 1 {
		t.Errorf("%+v", r.Summary)
	}
	if r.Worst(SeverityCritical) != 1 || r.Worst(SeverityHigh) != 2 || r.Worst(SeverityLow) != 5 {
		t.Errorf("worst: %d, %d, %d", r.Worst(SeverityCritical), r.Worst(SeverityHigh), r.Worst(SeverityLow))
	}
	if first := r.Repositories[0].Findings[0]; first.ID != ControlOpen {
		t.Errorf("the worst is not first: %+v", first)
	}
	written := map[scan.Format]string{}
	for _, format := range scan.Formats() {
		var out bytes.Buffer
		if err := r.Write(&out, format, scan.WriteOptions{Version: "1"}); err != nil {
			t.Fatalf("%s: %v", format, err)
		}
		written[format] = out.String()
		if strings.Contains(out.String(), "\x1b") {
			t.Errorf("%s commands the terminal", format)
		}
		if format != scan.FormatJSON && format != scan.FormatSARIF && strings.Contains(out.String(), "ecrkit repo tag") {
			t.Errorf("%s has a control that was skipped", format)
		}
	}
	var back AuditReport
	if err := json.Unmarshal([]byte(written[scan.FormatJSON]), &back); err != nil || len(back.Repositories) != 2 || back.Repositories[1].Findings == nil {
		t.Errorf("JSON: %v: %s", err, written[scan.FormatJSON])
	}
	var log struct {
		Runs []struct {
			Tool struct {
				Driver struct{ Rules []struct{ ID string } }
			}
			Invocations []struct{ ExecutionSuccessful bool }
			Results     []struct {
				RuleID    string
				RuleIndex int
				Level     string
			}
		}
	}
	if err := json.Unmarshal([]byte(written[scan.FormatSARIF]), &log); err != nil || len(log.Runs) != 1 || len(log.Runs[0].Results) != 5 || log.Runs[0].Invocations[0].ExecutionSuccessful {
		t.Fatalf("SARIF: %v: %+v", err, log)
	}
	for _, result := range log.Runs[0].Results {
		if rules := log.Runs[0].Tool.Driver.Rules; rules[result.RuleIndex].ID != result.RuleID {
			t.Errorf("SARIF: result %+v has rule %s", result, rules[result.RuleIndex].ID)
		}
	}
	schema, err := sarifmodel.FromString(written[scan.FormatSARIF])
	if err != nil {
		t.Fatal(err)
	}
	run := schema.Runs[0]
	// What is left out the types write as something empty: these are the defaults.
	run.Language, run.Tool.Driver.Language, run.NewlineSequences = "en-US", "en-US", []string{"\n"}
	if err := schema.Validate(); err != nil {
		t.Error(err)
	}
	var suites struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Errors   int `xml:"errors,attr"`
		Skipped  int `xml:"skipped,attr"`
	}
	if err := xml.Unmarshal([]byte(written[scan.FormatJUnit]), &suites); err != nil || suites.Tests != 2*len(Controls())+1 || suites.Failures != 5 || suites.Errors != 1 || suites.Skipped != 2 {
		t.Errorf("JUnit: %v: %+v", err, suites)
	}
	if md := written[scan.FormatMarkdown]; strings.Contains(md, "<img") || strings.Contains(md, "@all") || strings.Count(md, "\n| <code>team&#47;bad</code> | ") != 5 {
		t.Errorf("Markdown: %s", md)
	}
	tags := []string{}
	tokens := html.NewTokenizer(strings.NewReader(written[scan.FormatHTML]))
	for tokens.Next() != html.ErrorToken {
		name, _ := tokens.TagName()
		tags = append(tags, string(name))
	}
	if !errors.Is(tokens.Err(), io.EOF) || slices.Contains(tags, "img") || slices.Contains(tags, "b") {
		t.Errorf("HTML: %v, %v", tokens.Err(), tags)
	}
}
