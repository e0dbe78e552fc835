// Package transfer moves images: [Copy] copies one image or index, with all that
// it names, from a [Source] to a [Target]; [CopyAll] to several at once; [Preview]
// says beforehand what that takes.
//
//	src := transfer.NewLayout("build")
//	dst := transfer.NewECR(cfg, registry, "app")
//	result, err := transfer.Copy(ctx, src, dst, transfer.Options{Reference: "1.2", Tags: []string{"1.2"}})
//
// What is copied arrives byte for byte: a manifest is never serialised again, so
// digests survive. Every byte is checked against the digest and the size of the
// descriptor that named it, on the way and before anything counts as written. No
// URL that a manifest names is fetched unless [Options].Foreign is set.
//
// # Order
//
// First it is known which image is copied, and [Options].Verify may refuse it. Then
// come blobs, images, their index, and with [Options].Referrers what is attached to
// them, all by digest; then [Options].BeforeTags, which may sign what is there; and
// the tags last. A tag never names an image of which something is missing.
//
// # Endpoints
//
// [ECR] is a repository of Amazon ECR, spoken to by the ECR API and /v2/;
// [Registry] one of any other registry; [Layout] an OCI image layout directory;
// [Archive] one in a tar file, and [DockerArchive] what docker save writes, to
// which [ArchiveTarget] and [DockerArchiveTarget] write; [OpenDockerDaemon] and
// [DockerDaemonTarget] read and load images of a docker engine. [ParseReference]
// reads how people write them.
//
// # Files
//
//	copy, delivery, copyblobs, graph       the engine: what is copied, to whom, in which order
//	digesttags, mergesignatures            what is attached to an image by a tag made of its digest
//	ecr_upload, layercontent, layerbody    one layer up, by parts over several connections
//	ecr_layer, partial                     one layer down, by ranges into a file that can be gone on with
//	v2                                     one blob up by POST and PUT; what Registry speaks
//	call, limits, stall, requestlog        one request: its rate, its tries, its end, its count
//	retag, index, platform, inspect, images, delete, repository
//	                                       what else is done with images where they are
//
// Packages below internal: ranges reads a blob over several connections, layerpart
// writes the body of UploadLayerPart, journal remembers uploads that have begun,
// pace keeps calls within quotas, indexedit edits the JSON of an index.
package transfer
