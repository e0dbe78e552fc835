// Package transfer moves images: [Copy] copies one image or index, with all that
// it names, from a [Source] to a [Target].
//
// Three endpoints exist: [ECR], a repository of Amazon ECR spoken to by the ECR
// API; [Layout], an OCI image layout directory; [Archive], an OCI image layout in
// a tar file, for reading only. [ParseReference] reads how people write them.
//
// What is copied arrives byte for byte: a manifest is never serialised again, so
// digests survive. Every byte is checked against the digest and the size of the
// descriptor that named it, on the way and before anything counts as written. No
// URL that a manifest names is ever fetched.
package transfer
