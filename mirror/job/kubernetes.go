package job

import (
	"fmt"

	"github.com/goccy/go-yaml"
)

const (
	// configFile is where pods have the configuration.
	configDir, configName = "/etc/ecrkit", "mirror.yaml"
	// maxConfigMap is how many bytes a ConfigMap can have, less some for its names:
	// https://kubernetes.io/docs/concepts/configuration/configmap/
	maxConfigMap = 1<<20 - 4096
	// maxKubernetes is the most completions of an indexed job whose failures are limited by index, less those that
	// take a long time to schedule: https://kubernetes.io/docs/concepts/workloads/controllers/job/
	maxKubernetes = 10_000
	// user is the one that images for a non-root user have by convention.
	user = 65532
)

// The objects of Kubernetes, as far as a job has them.
type (
	meta struct {
		Name string `yaml:"name"`
	}
	configMap struct {
		APIVersion string            `yaml:"apiVersion"`
		Kind       string            `yaml:"kind"`
		Metadata   meta              `yaml:"metadata"`
		Data       map[string]string `yaml:"data"`
	}
	workload struct {
		APIVersion string `yaml:"apiVersion"`
		Kind       string `yaml:"kind"`
		Metadata   meta   `yaml:"metadata"`
		Spec       any    `yaml:"spec"`
	}
	cronSpec struct {
		Schedule          string      `yaml:"schedule"`
		TimeZone          string      `yaml:"timeZone"`
		ConcurrencyPolicy string      `yaml:"concurrencyPolicy"`
		JobTemplate       jobTemplate `yaml:"jobTemplate"`
	}
	jobTemplate struct {
		Spec jobSpec `yaml:"spec"`
	}
	jobSpec struct {
		CompletionMode       string      `yaml:"completionMode"`
		Completions          int         `yaml:"completions"`
		Parallelism          int         `yaml:"parallelism"`
		BackoffLimitPerIndex int         `yaml:"backoffLimitPerIndex"`
		Template             podTemplate `yaml:"template"`
	}
	podTemplate struct {
		Spec podSpec `yaml:"spec"`
	}
	podSpec struct {
		RestartPolicy                string      `yaml:"restartPolicy"`
		ServiceAccountName           string      `yaml:"serviceAccountName,omitempty"`
		AutomountServiceAccountToken bool        `yaml:"automountServiceAccountToken"`
		SecurityContext              podSecurity `yaml:"securityContext"`
		Containers                   []container `yaml:"containers"`
		Volumes                      []any       `yaml:"volumes"`
	}
	podSecurity struct {
		RunAsNonRoot   bool              `yaml:"runAsNonRoot"`
		RunAsUser      int               `yaml:"runAsUser"`
		RunAsGroup     int               `yaml:"runAsGroup"`
		FSGroup        int               `yaml:"fsGroup"`
		SeccompProfile map[string]string `yaml:"seccompProfile"`
	}
	container struct {
		Name            string                       `yaml:"name"`
		Image           string                       `yaml:"image"`
		Command         []string                     `yaml:"command"`
		Args            []string                     `yaml:"args"`
		Env             []Variable                   `yaml:"env"`
		Resources       map[string]map[string]string `yaml:"resources"`
		SecurityContext containerSecurity            `yaml:"securityContext"`
		VolumeMounts    []mount                      `yaml:"volumeMounts"`
	}
	containerSecurity struct {
		AllowPrivilegeEscalation bool                `yaml:"allowPrivilegeEscalation"`
		ReadOnlyRootFilesystem   bool                `yaml:"readOnlyRootFilesystem"`
		Capabilities             map[string][]string `yaml:"capabilities"`
	}
	mount struct {
		Name      string `yaml:"name"`
		MountPath string `yaml:"mountPath"`
		ReadOnly  bool   `yaml:"readOnly,omitempty"`
	}
	configVolume struct {
		Name      string `yaml:"name"`
		ConfigMap meta   `yaml:"configMap"`
	}
	emptyVolume struct {
		Name     string   `yaml:"name"`
		EmptyDir struct{} `yaml:"emptyDir"`
	}
)

// Kubernetes returns the manifests of an indexed job, or with a schedule of a CronJob, and of the ConfigMap that
// has the configuration. Name, Shards, Image, Config, Variables, Schedule, Arguments and ServiceAccount count. The
// error wraps [ErrOptions].
func Kubernetes(o Options) ([]byte, error) {
	if err := o.check(1, maxKubernetes, "a job of Kubernetes"); err != nil {
		return nil, err
	}
	switch {
	case o.Image == "":
		return nil, fmt.Errorf("%w: a pod needs a container image with ecrkit", ErrOptions)
	case len(o.Config) > maxConfigMap:
		return nil, fmt.Errorf("%w: the configuration has %d bytes, and a ConfigMap takes %d", ErrOptions, len(o.Config), maxConfigMap)
	}
	spec := jobSpec{CompletionMode: "Indexed", Completions: o.Shards, Parallelism: o.Shards, BackoffLimitPerIndex: 3, Template: podTemplate{o.pod()}}
	w := workload{APIVersion: "batch/v1", Kind: "Job", Metadata: meta{o.Name}, Spec: spec}
	selector := "batch.kubernetes.io/job-name=" + o.Name
	if o.Schedule != "" {
		w.Kind = "CronJob"
		w.Spec = cronSpec{Schedule: o.Schedule, TimeZone: "Etc/UTC", ConcurrencyPolicy: "Forbid", JobTemplate: jobTemplate{spec}}
		selector = "batch.kubernetes.io/job-name=<JOB>"
	}
	config := configMap{APIVersion: "v1", Kind: "ConfigMap", Metadata: meta{o.Name}, Data: map[string]string{configName: string(o.Config)}}
	document := []byte(comment(
		"When all pods are done:",
		"kubectl logs --selector "+selector+" --tail=-1 > mirror.log",
		"ecrkit mirror report mirror.log"))
	for i, object := range []any{config, w} {
		text, err := yaml.MarshalWithOptions(object, yaml.UseLiteralStyleIfMultiline(true), yaml.IndentSequence(true))
		if err != nil {
			return nil, err
		}
		if i > 0 {
			document = append(document, "---\n"...)
		}
		document = append(document, text...)
	}
	return document, nil
}

// pod is each pod of the job. Nothing in it needs a right on its machine.
func (o Options) pod() podSpec {
	env := append([]Variable{{kubernetesVariables.Count, fmt.Sprint(o.Shards)}, {"HOME", "/tmp"}}, o.Variables...)
	return podSpec{
		RestartPolicy: "Never", ServiceAccountName: o.ServiceAccount,
		SecurityContext: podSecurity{RunAsNonRoot: true, RunAsUser: user, RunAsGroup: user, FSGroup: user, SeccompProfile: map[string]string{"type": "RuntimeDefault"}},
		Containers: []container{{
			Name: "mirror", Image: o.Image, Command: []string{"ecrkit"}, Args: o.apply(configDir+"/"+configName, "auto"), Env: env,
			Resources:       map[string]map[string]string{"requests": {"cpu": "250m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}},
			SecurityContext: containerSecurity{ReadOnlyRootFilesystem: true, Capabilities: map[string][]string{"drop": {"ALL"}}},
			VolumeMounts:    []mount{{"config", configDir, true}, {"tmp", "/tmp", false}},
		}},
		Volumes: []any{configVolume{"config", meta{o.Name}}, emptyVolume{Name: "tmp"}},
	}
}
