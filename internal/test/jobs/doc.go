// Package jobs decodes the jobs that package mirror/job prints and the DaemonSet of docs/proxy-guides.md, with the types of
// Kubernetes and of the SDK of AWS Batch, strictly: a member that they do not have is an error.
package jobs
