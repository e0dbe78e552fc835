package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/rogpeppe/go-internal/testscript"
)

// documentedJob is a job of docs/ci.md, of GitHub or GitLab.
type documentedJob struct {
	Env       map[string]string // of GitHub
	Steps     []documentedStep
	Outputs   map[string]string
	Variables map[string]string // of GitLab
	Script    []string
	IDTokens  map[string]any `yaml:"id_tokens"`
	Artifacts struct{ Reports map[string]string }
}

type documentedStep struct {
	ID, Uses, Run string
	Env           map[string]string
}

// blocks finds the YAML of a section.
func documentedBlock(ts *testscript.TestScript, section string) []byte {
	page, err := os.ReadFile(filepath.Join(docsDir, "ci.md"))
	ts.Check(err)
	_, rest, found := strings.Cut(string(page), "\n## "+section+"\n")
	rest, _, _ = strings.Cut(rest, "\n## ")
	_, rest, fenced := strings.Cut(rest, "```yaml\n")
	block, _, closed := strings.Cut(rest, "\n```")
	if !found || !fenced || !closed {
		ts.Fatalf("docs/ci.md has no jobs in the section %s", section)
	}
	return []byte(block)
}

// docsDir is where the documentation is; the tests of a package run in its directory.
var docsDir = func() string {
	dir, err := filepath.Abs("../../docs")
	if err != nil {
		panic(err)
	}
	return dir
}()

// expression is ${{ … }} of a workflow.
var expression = regexp.MustCompile(`\$\{\{ ([^}]*) \}\}`)

// runJob is "runjob github|gitlab JOB": it does what a runner of that system does with a
// job of docs/ci.md: it sets the variables, runs the commands, and keeps the outputs for
// the next job. $REGISTRY and the role are those of the script, steps with "uses" are left out.
func runJob(ts *testscript.TestScript, _ bool, args []string) {
	if args[0] == "github" {
		runGitHubJob(ts, args[1])
		return
	}
	jobs := map[string]documentedJob{}
	ts.Check(yaml.Unmarshal(documentedBlock(ts, "GitLab"), &jobs))
	job, ok := jobs[args[1]]
	if !ok {
		ts.Fatalf("there is no job %s", args[1])
	}
	for _, line := range []string{"CI=true", "GITLAB_CI=true", "CI_COMMIT_SHORT_SHA=3f2a91c0"} {
		setVariable(ts, line)
	}
	for name := range job.IDTokens {
		ts.Setenv(name, idToken("https://gitlab.example.com"))
	}
	setVariables(ts, job.Variables)
	for _, line := range job.Script {
		runStep(ts, line)
	}
	// What the next jobs get.
	if dotenv := job.Artifacts.Reports["dotenv"]; dotenv != "" {
		for line := range strings.Lines(ts.ReadFile(dotenv)) {
			setVariable(ts, strings.TrimSuffix(line, "\n"))
		}
	}
}

func runGitHubJob(ts *testscript.TestScript, name string) {
	var workflow struct {
		Permissions map[string]string
		Env         map[string]string
		Jobs        map[string]documentedJob
	}
	ts.Check(yaml.Unmarshal(documentedBlock(ts, "GitHub Actions"), &workflow))
	job, ok := workflow.Jobs[name]
	if !ok {
		ts.Fatalf("there is no job %s", name)
	}
	sha := strings.Repeat("3f2a91c0", 5)
	for _, line := range []string{"CI=true", "GITHUB_ACTIONS=true", "GITHUB_SHA=" + sha} {
		setVariable(ts, line)
	}
	if workflow.Permissions["id-token"] == "write" {
		service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer job" || r.URL.Query().Get("audience") != "sts.amazonaws.com" {
				http.Error(w, "no", http.StatusForbidden)
				return
			}
			fmt.Fprintf(w, `{"count":1,"value":%q}`, idToken("https://token.actions.githubusercontent.com"))
		}))
		ts.Defer(service.Close)
		ts.Setenv("ACTIONS_ID_TOKEN_REQUEST_URL", service.URL+"/?api-version=2.0")
		ts.Setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "job")
	}
	setVariables(ts, workflow.Env)
	setVariables(ts, job.Env)
	known := ts.Value(outputsKey{}).(map[string]string)
	replace := func(s string) string {
		return expression.ReplaceAllStringFunc(s, func(s string) string {
			value, ok := known[expression.FindStringSubmatch(s)[1]]
			if !ok {
				ts.Fatalf("%s is not set", s)
			}
			return value
		})
	}
	for i, step := range job.Steps {
		if step.Uses != "" {
			continue
		}
		output := ts.MkAbs(fmt.Sprintf("github-%s-%d", name, i))
		ts.Setenv("GITHUB_OUTPUT", output)
		ts.Setenv("GITHUB_STEP_SUMMARY", ts.MkAbs(name+"-summary.md"))
		for _, key := range slices.Sorted(maps.Keys(step.Env)) {
			ts.Setenv(key, replace(step.Env[key]))
		}
		runStep(ts, replace(step.Run))
		if step.ID != "" {
			readOutputs(ts, output, "steps."+step.ID+".outputs.", known)
		}
	}
	for key, value := range job.Outputs {
		known["needs."+name+".outputs."+key] = replace(value)
	}
}

type outputsKey struct{}

// runStep runs a line as the shell of a runner does.
func runStep(ts *testscript.TestScript, line string) {
	ts.Check(ts.Exec("sh", "-e", "-c", line))
}

// given are the variables that a script sets, in the place of those in the documentation.
var given = []string{"REGISTRY", "ECRKIT_OIDC_ROLE_ARN"}

func setVariables(ts *testscript.TestScript, variables map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		if slices.Contains(given, name) && ts.Getenv(name) != "" {
			continue
		}
		ts.Setenv(name, variables[name])
	}
}

func setVariable(ts *testscript.TestScript, line string) {
	name, value, _ := strings.Cut(line, "=")
	ts.Setenv(name, value)
}

// readOutputs reads $GITHUB_OUTPUT.
func readOutputs(ts *testscript.TestScript, path, prefix string, into map[string]string) {
	lines := strings.Split(ts.ReadFile(path), "\n")
	for i := 0; i < len(lines); i++ {
		name, delimiter, ok := strings.Cut(lines[i], "<<")
		if !ok {
			continue
		}
		end := slices.Index(lines[i+1:], delimiter)
		if end < 0 {
			ts.Fatalf("%s: output %s does not end", path, name)
		}
		into[prefix+name] = strings.Join(lines[i+1:i+1+end], "\n")
		i += end + 1
	}
}

// idToken is an OIDC token that the local STS takes.
func idToken(issuer string) string {
	data, _ := json.Marshal(map[string]any{"iss": issuer, "sub": "repo:example/app:ref:refs/heads/main", "aud": "sts.amazonaws.com", "exp": 4e9, "iat": 1})
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + encode(data) + "." + encode([]byte("signature"))
}
