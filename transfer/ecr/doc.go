// Package ecr is one repository of Amazon ECR as an endpoint of package transfer: the ECR
// JSON API, layers in parallel parts, downloads by pre-signed URLs, and the registry's /v2/ for
// small blobs and mounts. It creates the repository on the first push if [Repository].Create is set.
//
//	repository := ecr.New(cfg, registry, "app")
//
// Amazon ECR takes the parts of a layer in their order only. Several are sent at once on
// connections of their own, and the last bytes of each are held back until the part before it
// has been acknowledged: they travel in parallel and complete in order.
package ecr
