// Package ref reads references as people write them ([Parse]) and opens the endpoints that
// they name ([Open], [Opener]). It is the only package that knows all endpoints.
//
//	HOST/REPOSITORY[:TAG][@DIGEST]    a registry; Amazon ECR by its host name or a mapping
//	oci:DIRECTORY[:TAG][@DIGEST]      an OCI image layout
//	oci-archive:FILE[:TAG][@DIGEST]   the same in a tar file
//	docker-archive:FILE[:NAME:TAG]    what docker save writes
//	docker-daemon:NAME[:TAG]          an image of a docker engine
//	-                                 an archive on stdin or stdout
//
// A path without a prefix is detected from its content.
package ref
