// Package layout is an OCI image layout directory as an endpoint of package transfer:
// https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md.
//
// A directory is a valid layout at any moment of a copy, even if the process dies. Several
// processes may write to one directory.
package layout
