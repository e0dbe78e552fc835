// Package setup writes the files by which docker, podman, containerd and BuildKit read
// images through a proxy on this machine, reports whether they do, and removes them again.
//
// What others have written stays as it was. In TOML, what setup writes is between two
// comments that say so, and a line that has to go is made a comment: removing restores the
// file byte for byte.
//
// By default the proxy is the only endpoint of a registry. An engine with a second one goes
// there when the proxy refuses an image that a policy does not allow.
package setup
