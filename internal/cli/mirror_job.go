package cli

import (
	"bytes"
	"errors"
	"math"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/mirror"
	"github.com/ecrkit/ecrkit/mirror/job"
)

const mirrorJobHelp = `Print a job in which several processes share a mirror.

  ecrkit mirror job kubernetes mirror.yaml --shards 8 --image IMAGE | kubectl apply -f -
  ecrkit mirror job aws-batch mirror.yaml --shards 8 --image IMAGE --queue QUEUE > job.json
  ecrkit mirror job github deploy/mirror.yaml --shards 8 > .github/workflows/mirror.yaml

Each process runs ecrkit mirror apply with its --shard. Their reports are in the logs, or in the
artifacts of the workflow: ecrkit mirror report merges them.`

func newMirrorJobCommand(app *App) *cobra.Command {
	return newGroup("job", "Print a job in which several processes share a mirror", mirrorJobHelp,
		newMirrorKubernetesCommand(app), newMirrorBatchCommand(app), newMirrorGitHubCommand(app))
}

// jobFlags are the flags of all engines.
type jobFlags struct {
	job.Options
	maxDelete string
}

func (f *jobFlags) add(cmd *cobra.Command) {
	numberVar(cmd.Flags(), &f.Shards, "shards", 1, math.MaxInt32, "number of processes (required)")
	cmd.Flags().StringVar(&f.Name, "name", "ecrkit-mirror", "`name` of the job")
	cmd.Flags().StringVar(&f.maxDelete, "max-delete", "", "pass --max-delete `N|N%` to ecrkit mirror apply")
}

func (f *jobFlags) addImage(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.Image, "image", "", "container `image` with ecrkit in its PATH (required)")
}

// requiredFlag is a flag without which an engine cannot run a job.
type requiredFlag struct{ name, meaning, value string }

func (f *jobFlags) image() requiredFlag {
	return requiredFlag{"image", "the container image with ecrkit in its PATH", f.Image}
}

func (f *jobFlags) addSchedule(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.Schedule, "schedule", "", "`time` to run it, in UTC, as cron writes it: \"30 2 * * *\"")
}

const mirrorKubernetesHelp = `Print an indexed job of Kubernetes, or a CronJob, and a ConfigMap with the configuration.

  ecrkit mirror job kubernetes mirror.yaml --shards 8 --image IMAGE | kubectl apply -f -
  ecrkit mirror job kubernetes mirror.yaml --shards 8 --image IMAGE --schedule "30 2 * * *"

Variables of the environment that CONFIG uses get the values that they have now. The pods get AWS
credentials by their service account: EKS Pod Identity, or a role for service accounts.

Prints YAML. The lines at its top show how to read the reports.`

func newMirrorKubernetesCommand(app *App) *cobra.Command {
	var f jobFlags
	cmd := &cobra.Command{
		Use:   "kubernetes CONFIG",
		Short: "Print an indexed job of Kubernetes",
		Long:  mirrorKubernetesHelp,
		Args:  arguments(0, "CONFIG"),
		RunE: func(_ *cobra.Command, args []string) error {
			return app.printJob(args[0], f, job.Kubernetes, f.image())
		},
	}
	f.add(cmd)
	f.addImage(cmd)
	f.addSchedule(cmd)
	cmd.Flags().StringVar(&f.ServiceAccount, "service-account", "", "service account `name` of the pods (default that of the namespace)")
	return cmd
}

const mirrorBatchHelp = `Print an array job of AWS Batch: the requests RegisterJobDefinition and SubmitJob.

  ecrkit mirror job aws-batch mirror.yaml --shards 8 --image IMAGE --queue QUEUE > job.json
  jq .registerJobDefinition job.json > definition.json
  jq .submitJob job.json > submit.json
  aws batch register-job-definition --cli-input-json file://definition.json
  aws batch submit-job --cli-input-json file://submit.json

The containers have CONFIG in a variable of their environment, and other variables that it uses
with the values that they have now. With --execution-role they run on AWS Fargate.

Prints one JSON object: registerJobDefinition and submitJob.`

func newMirrorBatchCommand(app *App) *cobra.Command {
	var f jobFlags
	cmd := &cobra.Command{
		Use:   "aws-batch CONFIG",
		Short: "Print an array job of AWS Batch",
		Long:  mirrorBatchHelp,
		Args:  arguments(0, "CONFIG"),
		RunE: func(_ *cobra.Command, args []string) error {
			return app.printJob(args[0], f, job.AWSBatch, f.image(), requiredFlag{"queue", "the job queue", f.Queue})
		},
	}
	f.add(cmd)
	f.addImage(cmd)
	cmd.Flags().StringVar(&f.Queue, "queue", "", "job `queue` (required)")
	cmd.Flags().StringVar(&f.Role, "role", "", "`ARN` of the role with which the containers call AWS")
	cmd.Flags().StringVar(&f.ExecutionRole, "execution-role", "", "`ARN` of the role with which AWS Fargate starts them (default: on EC2)")
	return cmd
}

const mirrorGitHubHelp = `Print a workflow of GitHub Actions: a matrix of jobs, and one that merges their reports.

  ecrkit mirror job github deploy/mirror.yaml --shards 8 --role ARN > .github/workflows/mirror.yaml
  ecrkit mirror job github deploy/mirror.yaml --shards 8 --role ARN --schedule "30 2 * * *"

CONFIG is a path in the repository. Variables of the environment that it uses get the values of the
repository's variables of the same name.

Prints YAML.`

func newMirrorGitHubCommand(app *App) *cobra.Command {
	var f jobFlags
	cmd := &cobra.Command{
		Use:   "github CONFIG",
		Short: "Print a workflow of GitHub Actions",
		Long:  mirrorGitHubHelp,
		Args:  arguments(0, "CONFIG"),
		RunE: func(_ *cobra.Command, args []string) error {
			f.Path = args[0]
			return app.printJob(args[0], f, job.GitHub)
		},
	}
	f.add(cmd)
	f.addSchedule(cmd)
	cmd.Flags().StringVar(&f.Role, "role", "", "`ARN` of the role that the jobs assume with the token of GitHub")
	return cmd
}

// printJob checks the configuration and prints what an engine reads.
func (app *App) printJob(path string, f jobFlags, describe func(job.Options) ([]byte, error), required ...requiredFlag) error {
	if f.Shards == 0 {
		return usagef("--shards is missing: the number of processes")
	}
	for _, flag := range required {
		if flag.value == "" {
			return usagef("--%s is missing: %s", flag.name, flag.meaning)
		}
	}
	var err error
	if f.Config, err = app.readMirrorText(path); err != nil {
		return err
	}
	if _, err := app.decodeMirrorConfig(path, bytes.NewReader(f.Config), mirror.ReadConfig); err != nil {
		return err
	}
	for _, name := range mirror.VariablesOf(f.Config) {
		// A workflow takes them from the repository.
		if value, ok := app.Env(name); ok || f.Path != "" {
			f.Variables = append(f.Variables, job.Variable{Name: name, Value: value})
		}
	}
	if f.maxDelete != "" {
		pruning := &mirror.Pruning{MaxDelete: f.maxDelete}
		if err := pruning.Validate(); err != nil {
			return usagef("--max-delete: %w", err)
		}
		f.Arguments = append(f.Arguments, "--max-delete", f.maxDelete)
	}
	text, err := describe(f.Options)
	if errors.Is(err, job.ErrOptions) {
		err = usageError{err}
	}
	if err != nil {
		return err
	}
	_, err = app.Stdout.Write(text)
	return err
}
