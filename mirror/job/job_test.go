package job

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the files in testdata")

func options(t *testing.T) Options {
	config, err := os.ReadFile(filepath.Join("testdata", "mirror.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return Options{Name: "mirror", Shards: 8, Config: config, Variables: []Variable{{"DESTINATION", "123456789012.dkr.ecr.eu-west-1.amazonaws.com/plant"}}}
}

// TestGolden compares the jobs with those in testdata, which actionlint and the types of Kubernetes and AWS Batch
// check: see internal/test/jobs and the Makefile.
func TestGolden(t *testing.T) {
	o := options(t)
	const image, role = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/tools/ecrkit:1.2", "arn:aws:iam::123456789012:role/mirror"
	kubernetes, scheduled, batch, fargate, github := o, o, o, o, o
	kubernetes.Image = image
	scheduled.Image, scheduled.Schedule, scheduled.ServiceAccount, scheduled.Arguments = image, "30 2 * * *", "mirror", []string{"--max-delete", "5%"}
	batch.Image, batch.Role, batch.Queue = image, role, "nightly"
	fargate.Image, fargate.Role, fargate.ExecutionRole, fargate.Queue = image, role, "arn:aws:iam::123456789012:role/start", "nightly"
	github.Path, github.Role, github.Schedule = "deploy/mirror.yaml", role, "30 2 * * *"
	for name, made := range map[string]func() ([]byte, error){
		"kubernetes.yaml":         func() ([]byte, error) { return Kubernetes(kubernetes) },
		"kubernetes-cron.yaml":    func() ([]byte, error) { return Kubernetes(scheduled) },
		"aws-batch.json":          func() ([]byte, error) { return AWSBatch(batch) },
		"aws-batch-fargate.json":  func() ([]byte, error) { return AWSBatch(fargate) },
		"github.yaml":             func() ([]byte, error) { return GitHub(github) },
		"github-on-demand-1.yaml": func() ([]byte, error) { return GitHub(Options{Name: "m", Shards: 1, Path: "mirror.yaml"}) },
	} {
		got, err := made()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		file := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(file); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %v; got\n%s", name, err, got)
		}
	}
}

func TestRefused(t *testing.T) {
	base := options(t)
	base.Image, base.Queue, base.Path = "image:1", "queue", "mirror.yaml"
	for _, c := range []struct {
		want   string
		make   func(Options) ([]byte, error)
		change func(o *Options)
	}{
		{"the name", Kubernetes, func(o *Options) { o.Name = "Mirror" }},
		{"the name", GitHub, func(o *Options) { o.Name = strings.Repeat("m", maxName+1) }},
		{"1 to 10000 processes, not 0", Kubernetes, func(o *Options) { o.Shards = 0 }},
		{"2 to 10000 processes, not 1", AWSBatch, func(o *Options) { o.Shards = 1 }},
		{"1 to 256 processes, not 257", GitHub, func(o *Options) { o.Shards = 257 }},
		{"five fields", GitHub, func(o *Options) { o.Schedule = "daily" }},
		{"EventBridge", AWSBatch, func(o *Options) { o.Schedule = "1 2 * * *" }},
		{"needs a container image", Kubernetes, func(o *Options) { o.Image = "" }},
		{"needs an image", AWSBatch, func(o *Options) { o.Image = "" }},
		{"needs a job queue", AWSBatch, func(o *Options) { o.Queue = "" }},
		{"a ConfigMap takes", Kubernetes, func(o *Options) { o.Config = make([]byte, 1<<20) }},
		{"AWS Batch takes 24576", AWSBatch, func(o *Options) { o.Config = make([]byte, 24<<10) }},
		{"is not the path", GitHub, func(o *Options) { o.Path = "../mirror.yaml" }},
		{"is not the path", GitHub, func(o *Options) { o.Path = "/mirror.yaml" }},
		{"is not the path", GitHub, func(o *Options) { o.Path = "a.yaml; rm -rf /" }},
		{"the argument", GitHub, func(o *Options) { o.Arguments = []string{"$(x)"} }},
		{"not the name of anything", Kubernetes, func(o *Options) { o.Image = "a\nb" }},
		{"not the name of anything", GitHub, func(o *Options) { o.Role = "${{ secrets.X }}" }},
	} {
		o := base
		c.change(&o)
		if _, err := c.make(o); !errors.Is(err, ErrOptions) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}
