package job

// Variables are the names of the environment variables that have the index of a process, from 0, and the
// number of processes.
type Variables struct{ Index, Count string }

// ShardVariables are those of the engines: first that of AWS Batch, which also runs jobs on Kubernetes.
// AWS Batch sets both (https://docs.aws.amazon.com/batch/latest/userguide/job_env_vars.html), Kubernetes only
// the index (https://kubernetes.io/docs/concepts/workloads/controllers/job/#completion-mode): [Kubernetes]
// sets the other one.
var ShardVariables = []Variables{
	{"AWS_BATCH_JOB_ARRAY_INDEX", "AWS_BATCH_JOB_ARRAY_SIZE"},
	{"JOB_COMPLETION_INDEX", "ECRKIT_SHARDS"},
}
