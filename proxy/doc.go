// Package proxy serves the OCI distribution API on this machine, for engines that read and
// send each layer over one connection: docker, podman, containerd. It reads
// layers from the registry over several connections, once for all clients, checks their
// digests and keeps them in a cache.
//
// A client names an image either by the registry and the repository,
// 127.0.0.1:4511/HOST/repository:tag, where a host with a port is written HOST_PORT, or as
// clients of a mirror do it, by the repository and the query ns=HOST.
//
// The last bytes of a blob are held back until its digest agrees: a client never completes
// a layer that is not the one that it asked for.
//
// A blob that a client pushes goes to its registry in parts, several at once, while it
// arrives. It is stored only if its digest is the one that the client names at the end.
//
// The API is that of https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md.
package proxy
