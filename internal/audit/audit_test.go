package audit

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	sarifmodel "github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
	"golang.org/x/net/html"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/internal/governance"
	"github.com/ecrkit/ecrkit/scan"
	"github.com/ecrkit/ecrkit/transfer/ecr"
)

// allow is a statement that allows actions to a principal, both as JSON.
func allow(principal, action string) string {
	return fmt.Sprintf(`{"Effect":"Allow","Principal":%s,"Action":%s}`, principal, action)
}

func policyOf(statements ...string) json.RawMessage {
	return json.RawMessage(`{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`)
}

// good is a repository of which every control is ok.
func good() governance.Description {
	return governance.Description{
		RepositoryDescription: ecr.RepositoryDescription{
			Name: "team/app", Host: "ecr.example", ARN: "arn:aws:ecr:us-east-1:111122223333:repository/team/app",
			TagMutability: "IMMUTABLE", Encryption: "KMS", KMSKey: "arn:aws:kms:us-east-1:111122223333:key/1",
		},
		ResourceTags:    map[string]string{"team": "core"},
		Scanning:        &governance.Scanning{Type: governance.ScanBasic, Frequency: governance.ScanOnPush, OnPush: true},
		KeyManager:      governance.KeyOfCustomer,
		Policy:          policyOf(allow(`{"AWS":"444455556666"}`, `"ecr:BatchGetImage"`)),
		LifecyclePolicy: expiring(`"tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":7`, `"type":"expire"`),
	}
}

func expiring(selection, action string) json.RawMessage {
	return json.RawMessage(`{"rules":[{"rulePriority":1,"selection":{` + selection + `},"action":{` + action + `}}]}`)
}

func TestCheck(t *testing.T) {
	if f := Check(good(), Replicas{}); len(f) != 0 {
		t.Fatalf("of a good repository: %+v", f)
	}
	for name, c := range map[string]struct {
		spoil func(*governance.Description)
		want  string // ID, SEVERITY
		text  string
		fix   string
	}{
		"manual scans":     {func(d *governance.Description) { d.Scanning = &governance.Scanning{Frequency: governance.ScanManually} }, "ECR.1 HIGH", "only when somebody starts a scan", "ecrkit repo scanning add ecr.example --on-push team/app"},
		"scanning unknown": {func(d *governance.Description) { d.Scanning = nil }, "ECR.1 HIGH", "not known", "scanning add"},
		"continuous scans": {func(d *governance.Description) {
			d.Scanning = &governance.Scanning{Type: governance.ScanEnhanced, Frequency: governance.ScanContinuously}
		}, "", "", ""},
		"own scan on push": {func(d *governance.Description) {
			d.Scanning = &governance.Scanning{Type: governance.ScanBasic, Frequency: governance.ScanManually, OnPush: true}
		}, "", "", ""},
		"that is not used": {func(d *governance.Description) {
			d.Scanning = &governance.Scanning{Type: governance.ScanEnhanced, Frequency: governance.ScanManually, OnPush: true}
		}, "ECR.1 HIGH", "", ""},
		"tags that move": {func(d *governance.Description) { d.TagMutability = "MUTABLE" }, "ECR.2 MEDIUM", "can be moved", "ecrkit repo set ecr.example/team/app --immutable-tags"},
		"tags that move 2": {func(d *governance.Description) {
			d.TagMutability, d.MutabilityExclusions = "MUTABLE_WITH_EXCLUSION", []string{"v*"}
		}, "ECR.2 MEDIUM", "except v*", ""},
		"some tags move": {func(d *governance.Description) {
			d.TagMutability, d.MutabilityExclusions = "IMMUTABLE_WITH_EXCLUSION", []string{"dev-*"}
		}, "", "", ""},
		"all tags move": {func(d *governance.Description) {
			d.TagMutability, d.MutabilityExclusions = "IMMUTABLE_WITH_EXCLUSION", []string{"dev-*", "**"}
		}, "ECR.2 MEDIUM", "all of them", ""},
		"no lifecycle": {func(d *governance.Description) { d.LifecyclePolicy = nil }, "ECR.3 MEDIUM", "no lifecycle policy", "ecrkit lifecycle new --untagged-older-than 14 "},
		"key of S3":    {func(d *governance.Description) { d.Encryption, d.KMSKey, d.KeyManager = "AES256", "", "" }, "ECR.5 MEDIUM", "Amazon S3", "ecrkit repo create ecr.example/team/app-kms --kms-key <KMS_KEY>"},
		"key of AWS":   {func(d *governance.Description) { d.KeyManager = governance.KeyOfAWS }, "ECR.5 MEDIUM", "AWS manages", ""},
		"key unknown":  {func(d *governance.Description) { d.KeyManager = "" }, "ECR.5 MEDIUM", "does not describe arn:aws:kms:", ""},
		"no policy":    {func(d *governance.Description) { d.Policy = nil }, "", "", ""},
		"open to pull": {func(d *governance.Description) {
			d.Policy = policyOf(allow(`"*"`, `"ecr:BatchGetImage"`))
		}, "POLICY-OPEN HIGH", "any AWS account pull: statement 1", "ecrkit repo policy rm ecr.example/team/app"},
		"open to push": {func(d *governance.Description) { d.Policy = policyOf(allow(`"*"`, `"ecr:*"`)) }, "POLICY-OPEN CRITICAL", "push", "ecrkit repo policy rm"},
		"others use it too": {func(d *governance.Description) {
			d.Policy = policyOf(allow(`"*"`, `"ecr:*"`), allow(`{"AWS":"444455556666"}`, `"ecr:*"`))
		}, "POLICY-OPEN CRITICAL", "statement 1", "ecrkit repo policy get ecr.example/team/app >policy.json"},
		"policy unknown": {func(d *governance.Description) { d.Policy = json.RawMessage(`{"Statement":1}`) }, "POLICY-OPEN HIGH", "cannot be read", ""},
		"tagged only": {func(d *governance.Description) {
			d.LifecyclePolicy = expiring(`"tagStatus":"tagged","tagPrefixList":["v"],"countType":"imageCountMoreThan","countNumber":7`, `"type":"expire"`)
		}, "UNTAGGED-KEPT LOW", "no rule", "ecrkit lifecycle get ecr.example/team/app"},
		"only archived": {func(d *governance.Description) {
			d.LifecyclePolicy = expiring(`"tagStatus":"any","countType":"sinceImagePulled","countUnit":"days","countNumber":90`, `"type":"transition","targetStorageClass":"archive"`)
		}, "UNTAGGED-KEPT LOW", "no rule", ""},
		"untagged of the archive": {func(d *governance.Description) {
			d.LifecyclePolicy = expiring(`"tagStatus":"untagged","storageClass":"archive","countType":"sinceImageTransitioned","countUnit":"days","countNumber":90`, `"type":"expire"`)
		}, "UNTAGGED-KEPT LOW", "no rule", ""},
		"all images": {func(d *governance.Description) {
			d.LifecyclePolicy = expiring(`"tagStatus":"any","countType":"imageCountMoreThan","countNumber":7`, `"type":"expire"`)
		}, "", "", ""},
		"lifecycle unknown": {func(d *governance.Description) { d.LifecyclePolicy = json.RawMessage(`{"rules":[]}`) }, "UNTAGGED-KEPT LOW", "cannot be read", ""},
		"no tags":           {func(d *governance.Description) { d.ResourceTags = nil }, "RESOURCE-TAGS LOW", "no resource tags", "ecrkit repo tag ecr.example/team/app <KEY>=<VALUE>"},
	} {
		d := good()
		c.spoil(&d)
		var got, text, command string
		for _, f := range Check(d, Replicas{}) {
			got += f.ID + " " + string(f.Severity)
			text, command = f.Text, f.Command
		}
		if got != c.want || !strings.Contains(text, c.text) || !strings.Contains(command, c.fix) {
			t.Errorf("%s: %q, not %q: %s: %s", name, got, c.want, text, command)
		}
	}
}

// A command that needs something only a person knows cannot be run as it is.
func TestPlaceholders(t *testing.T) {
	d := good()
	d.Policy, d.LifecyclePolicy, d.ResourceTags, d.KeyManager, d.Scanning, d.TagMutability = policyOf(allow(`"*"`, `"ecr:*"`)), nil, nil, "", nil, "MUTABLE"
	want := map[string]string{ControlKey: "<KMS_KEY>", ControlTags: "<KEY> <VALUE>"}
	findings := Check(d, Replicas{Err: governance.ErrOtherAccount})
	ofRepositories := slices.DeleteFunc(Controls(), func(c Control) bool { return c.Registry })
	if len(findings) != len(ofRepositories)-1 { // without a lifecycle policy there are no rules about untagged images
		t.Fatalf("%d findings", len(findings))
	}
	for _, f := range findings {
		if got := strings.Join(f.Placeholders, " "); got != want[f.ID] || f.Placeholders == nil {
			t.Errorf("%s: the placeholders of %s are %q", f.ID, f.Command, f.Placeholders)
		}
		err := exec.Command("sh", "-n", "-c", f.Command).Run()
		if (err != nil) != (len(f.Placeholders) > 0) {
			t.Errorf("%s: the shell about %s: %v", f.ID, f.Command, err)
		}
	}
}

// spoilt has findings with hostile texts, and one that is not known.
func spoilt(t *testing.T) Report {
	t.Helper()
	bad := governance.Description{RepositoryDescription: ecr.RepositoryDescription{Name: "team/bad", Host: "ecr.example", ARN: "arn:bad", TagMutability: "MUTABLE", Encryption: "AES256"}}
	bad.Policy = json.RawMessage(`{"Statement":{"Sid":"<img src=x>|@all\u001b[2J","Effect":"Allow","Principal":"*","Action":"*"}}`)
	r := &governance.Registry{Registry: auth.Registry{Host: "ecr.example", Account: "111122223333", Region: "us-east-1"}}
	return NewReport(r, "*", Evidence{
		Repositories: []governance.Description{bad, good()}, Failures: []error{errors.New("team/gone: <b>no</b>")},
	}, []string{ControlTags}, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
}

func TestReport(t *testing.T) {
	r := spoilt(t)
	if r.Summary.Repositories != 2 || r.Summary.Clean != 1 || r.Summary.Findings != 5 || r.Summary.BySeverity[Critical] != 1 {
		t.Errorf("%+v", r.Summary)
	}
	if r.Worst(Critical) != 1 || r.Worst(High) != 2 || r.Worst(Low) != 5 {
		t.Errorf("worst: %d, %d, %d", r.Worst(Critical), r.Worst(High), r.Worst(Low))
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
			t.Errorf("%s has control characters", format)
		}
		if format != scan.FormatJSON && format != scan.FormatSARIF && strings.Contains(out.String(), "ecrkit repo tag") {
			t.Errorf("%s has a control that was skipped", format)
		}
	}
	var back Report
	if err := json.Unmarshal([]byte(written[scan.FormatJSON]), &back); err != nil || len(back.Repositories) != 2 || back.Repositories[1].Findings == nil {
		t.Errorf("JSON: %v: %s", err, written[scan.FormatJSON])
	}
	if n := strings.Count(written[scan.FormatCodeQuality], `"fingerprint"`); n != 6 {
		t.Errorf("%d issues for five findings and a repository that could not be read:\n%s", n, written[scan.FormatCodeQuality])
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
	if err := xml.Unmarshal([]byte(written[scan.FormatJUnit]), &suites); err != nil || suites.Tests != 2*len(r.controls())+1 || suites.Failures != 5 || suites.Errors != 1 || suites.Skipped != 2 {
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

// On a terminal no line but a command, which is to be copied, is longer than the terminal, and no word is lost.
func TestTextOnTerminal(t *testing.T) {
	t.Parallel()
	r := spoilt(t)
	write := func(columns int) string {
		var out strings.Builder
		if err := r.Write(&out, scan.FormatTable, scan.WriteOptions{Columns: columns}); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	words := func(text string) string { return strings.Join(strings.Fields(text), " ") }
	for _, columns := range []int{80, 100} {
		text := write(columns)
		for line := range strings.Lines(text) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > columns && !strings.HasPrefix(strings.TrimSpace(line), "$ ") {
				t.Errorf("%d columns: %d: %s", columns, n, line)
			}
		}
		if words(text) != words(write(0)) {
			t.Errorf("%d columns: words are lost in\n%s", columns, text)
		}
	}
}
