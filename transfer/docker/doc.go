// Package docker is what docker save writes and docker load reads as an endpoint of package
// transfer: [Archive] reads a tar file, [ArchiveTarget] writes one, and [OpenDaemon] and
// [DaemonTarget] read and load images of a docker engine.
//
// Layers that docker saved uncompressed are compressed once, the same way on every machine.
package docker
