package jobs

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/batch"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// testdata are the jobs, which a test of package mirror/job compares with what it prints.
const testdata = "../../../mirror/job/testdata"

func read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(testdata, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// objects decodes a ConfigMap and another object.
func objects(t *testing.T, name string, workload any) corev1.ConfigMap {
	t.Helper()
	var config corev1.ConfigMap
	documents := bytes.Split(read(t, name), []byte("---\n"))
	if len(documents) != 2 {
		t.Fatalf("%s has %d documents", name, len(documents))
	}
	for i, into := range []any{&config, workload} {
		if err := yaml.UnmarshalStrict(documents[i], into); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return config
}

func checkJob(t *testing.T, name string, spec batchv1.JobSpec, config corev1.ConfigMap) {
	t.Helper()
	if want := string(read(t, "mirror.yaml")); config.Data["mirror.yaml"] != want {
		t.Errorf("%s: the configuration is %q, want %q", name, config.Data["mirror.yaml"], want)
	}
	if *spec.CompletionMode != batchv1.IndexedCompletion || *spec.Completions != 8 || *spec.Parallelism != 8 || *spec.BackoffLimitPerIndex != 3 {
		t.Errorf("%s: %+v", name, spec)
	}
	pod := spec.Template.Spec
	if pod.RestartPolicy != corev1.RestartPolicyNever || !*pod.SecurityContext.RunAsNonRoot || pod.Volumes[0].ConfigMap.Name != config.Name {
		t.Errorf("%s: %+v", name, pod)
	}
	c := pod.Containers[0]
	if c.Env[0].Name != "ECRKIT_SHARDS" || c.Env[0].Value != strconv.Itoa(int(*spec.Completions)) || c.Args[2] != c.VolumeMounts[0].MountPath+"/mirror.yaml" ||
		c.VolumeMounts[0].Name != pod.Volumes[0].Name || c.VolumeMounts[1].Name != pod.Volumes[1].Name || pod.Volumes[1].EmptyDir == nil ||
		c.Resources.Limits.Memory().Value() != 512<<20 || !*c.SecurityContext.ReadOnlyRootFilesystem {
		t.Errorf("%s: %+v", name, c)
	}
}

func TestKubernetes(t *testing.T) {
	var job batchv1.Job
	config := objects(t, "kubernetes.yaml", &job)
	if job.Kind != "Job" || job.APIVersion != batchv1.SchemeGroupVersion.String() {
		t.Errorf("%+v", job.TypeMeta)
	}
	checkJob(t, "kubernetes.yaml", job.Spec, config)

	var scheduled batchv1.CronJob
	config = objects(t, "kubernetes-cron.yaml", &scheduled)
	if scheduled.Kind != "CronJob" || scheduled.Spec.ConcurrencyPolicy != batchv1.ForbidConcurrent || *scheduled.Spec.TimeZone != "Etc/UTC" ||
		scheduled.Spec.JobTemplate.Spec.Template.Spec.ServiceAccountName != "mirror" {
		t.Errorf("%+v", scheduled)
	}
	checkJob(t, "kubernetes-cron.yaml", scheduled.Spec.JobTemplate.Spec, config)
}

func TestAWSBatch(t *testing.T) {
	for name, platform := range map[string]string{"aws-batch.json": "EC2", "aws-batch-fargate.json": "FARGATE"} {
		// The fields of the SDK have the names of the API with a capital, which encoding/json takes for the same.
		var requests struct {
			Register batch.RegisterJobDefinitionInput `json:"registerJobDefinition"`
			Submit   batch.SubmitJobInput             `json:"submitJob"`
		}
		in := json.NewDecoder(bytes.NewReader(read(t, name)))
		in.DisallowUnknownFields()
		if err := in.Decode(&requests); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		r, s := requests.Register, requests.Submit
		if *s.JobDefinition != *r.JobDefinitionName || *s.ArrayProperties.Size != 8 || string(r.PlatformCapabilities[0]) != platform || string(r.Type) != "container" {
			t.Errorf("%s: %+v %+v", name, r, s)
		}
		c := r.ContainerProperties
		if *c.Environment[0].Name != "ECRKIT_MIRROR_CONFIG" || *c.Environment[0].Value != string(read(t, "mirror.yaml")) || c.Command[3] != "env://ECRKIT_MIRROR_CONFIG" {
			t.Errorf("%s: %+v", name, c)
		}
		for _, known := range c.ResourceRequirements {
			if !contains(known.Type.Values(), known.Type) {
				t.Errorf("%s: a resource %s", name, known.Type)
			}
		}
		if !contains(r.Type.Values(), r.Type) || !contains(r.PlatformCapabilities[0].Values(), r.PlatformCapabilities[0]) {
			t.Errorf("%s: %s, %s", name, r.Type, r.PlatformCapabilities[0])
		}
		if platform == "FARGATE" && (c.ExecutionRoleArn == nil || !contains(c.NetworkConfiguration.AssignPublicIp.Values(), c.NetworkConfiguration.AssignPublicIp)) {
			t.Errorf("%s: %+v", name, c)
		}
	}
}

func contains[T comparable](all []T, one T) bool {
	for _, v := range all {
		if v == one {
			return true
		}
	}
	return false
}
