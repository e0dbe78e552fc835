// Package job describes a mirror that several processes share as a job of an engine that people have: an
// indexed job of Kubernetes, an array job of AWS Batch, a matrix of GitHub Actions. It writes what these
// engines read, and talks to none of them.
//
//	manifest, err := job.Kubernetes(job.Options{Name: "mirror", Image: "…/ecrkit:1.2", Shards: 8, Config: config})
//
// Each process finds out from its environment which shard it is: see [AllShardVariables] and
// [github.com/ecrkit/ecrkit/mirror.Shard].
package job
