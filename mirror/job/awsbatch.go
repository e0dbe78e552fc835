package job

import (
	"encoding/json"
	"fmt"
)

const (
	// maxBatch is the most that an array job can have, minBatch the least:
	// https://docs.aws.amazon.com/batch/latest/userguide/array_jobs.html
	minBatch, maxBatch = 2, 10_000
	// maxJobDefinition is how many bytes a job definition can have:
	// https://docs.aws.amazon.com/batch/latest/userguide/service_limits.html
	maxJobDefinition = 24 << 10
)

// The requests to AWS Batch, as far as a job has them.
type (
	batchRequests struct {
		Register registerJobDefinition `json:"registerJobDefinition"`
		Submit   submitJob             `json:"submitJob"`
	}
	registerJobDefinition struct {
		JobDefinitionName    string              `json:"jobDefinitionName"`
		Type                 string              `json:"type"`
		PlatformCapabilities []string            `json:"platformCapabilities"`
		RetryStrategy        map[string]int      `json:"retryStrategy"`
		ContainerProperties  containerProperties `json:"containerProperties"`
	}
	containerProperties struct {
		Image                  string                `json:"image"`
		Command                []string              `json:"command"`
		JobRoleArn             string                `json:"jobRoleArn,omitempty"`
		ExecutionRoleArn       string                `json:"executionRoleArn,omitempty"`
		Environment            []Variable            `json:"environment"`
		ResourceRequirements   []resourceRequirement `json:"resourceRequirements"`
		NetworkConfiguration   map[string]string     `json:"networkConfiguration,omitempty"`
		ReadonlyRootFilesystem bool                  `json:"readonlyRootFilesystem"`
	}
	resourceRequirement struct {
		Type  string `json:"type"`
		Value string `json:"value"`
	}
	submitJob struct {
		JobName         string         `json:"jobName"`
		JobQueue        string         `json:"jobQueue"`
		JobDefinition   string         `json:"jobDefinition"`
		ArrayProperties map[string]int `json:"arrayProperties"`
	}
)

// AWSBatch returns one JSON object with two requests to AWS Batch: registerJobDefinition, and submitJob of an array
// job. Name, Shards, Image, Config, Variables, Arguments, Role, ExecutionRole and Queue count; on Fargate the
// execution role is needed. The configuration is in a variable of the environment. The error wraps [ErrOptions].
func AWSBatch(o Options) ([]byte, error) {
	if err := o.check(minBatch, maxBatch, "an array job of AWS Batch"); err != nil {
		return nil, err
	}
	switch {
	case o.Schedule != "":
		return nil, fmt.Errorf("%w: AWS Batch has no schedule: use Amazon EventBridge Scheduler", ErrOptions)
	case o.Image == "":
		return nil, fmt.Errorf("%w: a container needs an image with ecrkit", ErrOptions)
	case o.Queue == "":
		return nil, fmt.Errorf("%w: AWS Batch needs a job queue", ErrOptions)
	}
	c := containerProperties{
		Image: o.Image, Command: append([]string{"ecrkit"}, o.apply("env://"+configVariable, "auto")...), JobRoleArn: o.Role, ExecutionRoleArn: o.ExecutionRole,
		Environment:          append([]Variable{{configVariable, string(o.Config)}}, o.Variables...),
		ResourceRequirements: []resourceRequirement{{"VCPU", "1"}, {"MEMORY", "2048"}}, // the least memory of one on Fargate
	}
	platform := "EC2"
	if o.ExecutionRole != "" {
		platform = "FARGATE"
		c.NetworkConfiguration = map[string]string{"assignPublicIp": "ENABLED"}
	}
	requests := batchRequests{
		registerJobDefinition{JobDefinitionName: o.Name, Type: "container", PlatformCapabilities: []string{platform}, RetryStrategy: map[string]int{"attempts": 3}, ContainerProperties: c},
		submitJob{JobName: o.Name, JobQueue: o.Queue, JobDefinition: o.Name, ArrayProperties: map[string]int{"size": o.Shards}},
	}
	definition, err := json.Marshal(requests.Register)
	if err != nil {
		return nil, err
	}
	if len(definition) > maxJobDefinition {
		return nil, fmt.Errorf("%w: with the configuration the job definition has %d bytes, and AWS Batch takes %d: name repositories by patterns", ErrOptions, len(definition), maxJobDefinition)
	}
	data, err := json.MarshalIndent(requests, "", "  ")
	return append(data, '\n'), err
}
