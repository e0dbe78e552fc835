// Package registry is the state of Amazon ECR registries on disk, and ECR's rules on it.
//
// A [Store] holds the registries of several accounts and regions. A [Registry] has ECR's operations
// as methods, in the types of the AWS SDK (github.com/aws/aws-sdk-go-v2/service/ecr): the same input,
// the same output and the SDK's own exceptions as errors, with AWS's texts. The AWS API and /v2/ are
// thin layers over these methods, so every rule holds on both. The package knows no HTTP, no
// signatures and no permissions.
//
// # On disk
//
//	DIR/metadata.db          bbolt: repositories, images, tags, manifests, layers, uploads
//	DIR/blobs/sha256/ab/…    the bytes of the layers, each once, however many repositories have it
//	DIR/uploads/ID           the bytes received so far of an upload that is not complete
//
// Every change is one transaction of the database; a file of a blob is in place before the
// transaction that names it, and removed after the transaction that forgets it. So a process that is
// killed at any moment loses nothing that it has acknowledged, and leaves at most a file that nothing
// names, which the next [Open] removes. Nothing is synced to the disk: a machine that loses its
// power may lose the last seconds.
package registry
