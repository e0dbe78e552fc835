// Package archive is an OCI image layout in a tar file or a stream as an endpoint of package
// transfer. [Archive] reads one, [Target] writes one or adds an image to it.
package archive
