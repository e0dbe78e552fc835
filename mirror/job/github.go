package job

import (
	"fmt"
	"path"
	"strings"

	"github.com/goccy/go-yaml"
)

// maxGitHub is how many jobs a matrix can have:
// https://docs.github.com/actions/reference/limits
const maxGitHub = 256

// The parts of a workflow.
type (
	workflow struct {
		Name        string            `yaml:"name"`
		On          yaml.MapSlice     `yaml:"on"`
		Permissions yaml.MapSlice     `yaml:"permissions"`
		Concurrency string            `yaml:"concurrency"`
		Env         map[string]string `yaml:"env,omitempty"`
		Jobs        yaml.MapSlice     `yaml:"jobs"`
	}
	workflowJob struct {
		Needs    string    `yaml:"needs,omitempty"`
		If       string    `yaml:"if,omitempty"`
		RunsOn   string    `yaml:"runs-on"`
		Strategy *strategy `yaml:"strategy,omitempty"`
		Steps    []step    `yaml:"steps"`
	}
	strategy struct {
		FailFast bool             `yaml:"fail-fast"`
		Matrix   map[string][]int `yaml:"matrix"`
	}
	step struct {
		Uses string            `yaml:"uses,omitempty"`
		If   string            `yaml:"if,omitempty"`
		Run  string            `yaml:"run,omitempty"`
		Env  map[string]string `yaml:"env,omitempty"`
		With yaml.MapSlice     `yaml:"with,omitempty"`
	}
)

// GitHub returns a workflow of GitHub Actions: a matrix of jobs, and one that merges their reports. Name, Shards,
// Path, Variables, Schedule, Arguments and Role count. Variables have the values that the repository has for them. The
// error wraps [ErrOptions].
func GitHub(o Options) ([]byte, error) {
	if err := o.check(1, maxGitHub, "a matrix of GitHub Actions"); err != nil {
		return nil, err
	}
	if !validWord.MatchString(o.Path) || path.IsAbs(o.Path) || strings.HasPrefix(path.Clean(o.Path), "..") || strings.HasPrefix(o.Path, "-") {
		return nil, fmt.Errorf("%w: %q is not the path of a configuration in the repository of the workflow", ErrOptions, o.Path)
	}
	for _, argument := range o.Arguments {
		if !validWord.MatchString(argument) {
			return nil, fmt.Errorf("%w: the argument %q", ErrOptions, argument)
		}
	}
	w := workflow{Name: o.Name, On: yaml.MapSlice{{Key: "workflow_dispatch", Value: yaml.MapSlice{}}}, Concurrency: o.Name,
		Permissions: yaml.MapSlice{{Key: "contents", Value: "read"}}, Env: map[string]string{}}
	if o.Schedule != "" {
		w.On = append(w.On, yaml.MapItem{Key: "schedule", Value: []map[string]string{{"cron": o.Schedule}}})
	}
	if o.Role != "" {
		w.Permissions = append(w.Permissions, yaml.MapItem{Key: "id-token", Value: "write"})
		w.Env["ECRKIT_OIDC_ROLE_ARN"] = o.Role
	}
	for _, v := range o.Variables {
		w.Env[v.Name] = "${{ vars." + v.Name + " }}"
	}
	var shards []int
	for i := range o.Shards {
		shards = append(shards, i+1)
	}
	const runner, install = "ubuntu-24.04", "ecrkit/ecrkit@v1"
	w.Jobs = yaml.MapSlice{
		{Key: "mirror", Value: workflowJob{RunsOn: runner, Strategy: &strategy{Matrix: map[string][]int{"shard": shards}}, Steps: []step{
			{Uses: "actions/checkout@v5"},
			{Uses: install},
			{Run: "ecrkit " + strings.Join(o.apply(o.Path, `"$SHARD"`), " ") + " > report.json", Env: map[string]string{"SHARD": fmt.Sprintf("${{ matrix.shard }}/%d", o.Shards)}},
			{Uses: "actions/upload-artifact@v4", If: "${{ !cancelled() }}", With: yaml.MapSlice{
				{Key: "name", Value: "report-${{ matrix.shard }}-${{ github.run_attempt }}"}, {Key: "path", Value: "report.json"}}},
		}}},
		{Key: "report", Value: workflowJob{Needs: "mirror", If: "${{ !cancelled() }}", RunsOn: runner, Steps: []step{
			{Uses: install},
			{Uses: "actions/download-artifact@v5", With: yaml.MapSlice{{Key: "pattern", Value: "report-*"}, {Key: "path", Value: "reports"}}},
			{Run: "ecrkit mirror report reports/*/report.json"},
		}}},
	}
	return yaml.MarshalWithOptions(w, yaml.IndentSequence(true))
}
