package job

// ShardVariables are the names of the environment variables that have the index of a process, from 0, and the
// number of processes.
type ShardVariables struct{ Index, Count string }

// AWS Batch sets both: https://docs.aws.amazon.com/batch/latest/userguide/job_env_vars.html.
var batchVariables = ShardVariables{Index: "AWS_BATCH_JOB_ARRAY_INDEX", Count: "AWS_BATCH_JOB_ARRAY_SIZE"}

// Kubernetes sets only the index (https://kubernetes.io/docs/concepts/workloads/controllers/job/#completion-mode);
// the manifest of [Kubernetes] has the other one.
var kubernetesVariables = ShardVariables{Index: "JOB_COMPLETION_INDEX", Count: "ECRKIT_SHARDS"}

// AllShardVariables returns the variables that a process has in the jobs of [AWSBatch] and [Kubernetes]. Those of AWS Batch
// are the first, since it also runs jobs on Kubernetes.
func AllShardVariables() []ShardVariables {
	return []ShardVariables{batchVariables, kubernetesVariables}
}
