package job

import (
	"errors"
	"fmt"
	"strings"

	"github.com/ecrkit/ecrkit/internal/lazyregexp"
)

// Options describe a job. Which of them count is said at the function of each engine.
type Options struct {
	// Name is that of the job: up to 45 lower-case letters, digits and hyphens, as all engines take it.
	Name string
	// Shards is how many processes there are.
	Shards int
	// Image is the container image, which has ecrkit in its PATH.
	Image string
	// Config is the configuration of the mirror, Path where it is in the repository of a workflow.
	Config []byte
	Path   string
	// Variables are those of the environment that the configuration uses.
	Variables []Variable
	// Schedule is when the job is run, as cron has it and in UTC; "" is once, or by hand.
	Schedule string
	// Arguments are more arguments of ecrkit mirror apply.
	Arguments []string
	// Role is the ARN of the IAM role with which the processes call AWS; "" leaves that to the engine.
	Role string
	// ExecutionRole is the ARN of the role with which AWS Fargate starts the container; "" is not on Fargate.
	ExecutionRole string
	// Queue is the job queue of AWS Batch.
	Queue string
	// ServiceAccount is that of the pods; "" is the default one of the namespace.
	ServiceAccount string
}

// Variable is a variable of the environment of each process.
type Variable struct {
	Name  string `yaml:"name" json:"name"`
	Value string `yaml:"value" json:"value"`
}

// ErrOptions reports options that an engine cannot use.
var ErrOptions = errors.New("not a job")

// configVariable is the variable in which AWS Batch passes the configuration.
const configVariable = "ECRKIT_MIRROR_CONFIG"

// maxName leaves room for the suffixes that Kubernetes adds to the name of a scheduled job, and that of a pod.
const maxName = 45

var (
	validName = lazyregexp.New(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)
	validCron = lazyregexp.New(`^[0-9A-Za-z*/,-]+( [0-9A-Za-z*/,-]+){4}$`)
	// validWord is what needs no quotes anywhere.
	validWord = lazyregexp.New(`^[0-9A-Za-z_./:@+=%-]+$`)
)

// check refuses what no engine, or not the one, can use.
func (o Options) check(fewest, most int, engine string) error {
	switch {
	case !validName.MatchString(o.Name) || len(o.Name) > maxName:
		return fmt.Errorf("%w: the name %q is not up to %d lower-case letters, digits and hyphens", ErrOptions, o.Name, maxName)
	case o.Shards < fewest || o.Shards > most:
		return fmt.Errorf("%w: %s runs %d to %d processes, not %d", ErrOptions, engine, fewest, most, o.Shards)
	case o.Schedule != "" && !validCron.MatchString(o.Schedule):
		return fmt.Errorf("%w: the schedule %q is not five fields of cron, such as 30 2 * * *", ErrOptions, o.Schedule)
	}
	for _, word := range []string{o.Image, o.Role, o.ExecutionRole, o.Queue, o.ServiceAccount} {
		if word != "" && !validWord.MatchString(word) {
			return fmt.Errorf("%w: %q is not the name of anything", ErrOptions, word)
		}
	}
	return nil
}

// apply are the arguments of a process that reads the configuration from a place.
func (o Options) apply(config, shard string) []string {
	return append([]string{"mirror", "apply", config, "--shard", shard, "--output", "json"}, o.Arguments...)
}

// comment is text before a document, each line after a #.
func comment(lines ...string) string {
	return "# " + strings.Join(lines, "\n# ") + "\n"
}
