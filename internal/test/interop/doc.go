// Package interop holds the tests that run real clients against the built ecrkit commands: a Docker
// engine, skopeo, the aws CLI, crane and regctl, and cosign, which verifies what ecrkit signs and the reverse.
//
//	go test -tags interop -count=1 -timeout 40m ./internal/test/interop/ [-args -tls]
//
// With -tls, the clients of the local ECR use HTTPS. The test
// needs Linux, root (for Docker engines and, with -tls, addresses) and the Debian packages docker.io, skopeo, awscli and minisign, which
// `make interop` installs when it can. crane and regctl are built from bench/go.mod, cosign from
// bench/cosign/go.mod: the first time that takes many minutes, in which the tests run that need no cosign. A
// client that is missing is a failure: no test is skipped.
//
// TestTrialEngines, which `make interop-engines` runs, builds the newest containerd, BuildKit and Docker from
// bench/engines/go.mod, bench/docker/go.mod and bench/nerdctl/go.mod and has them pull and push through `ecrkit proxy`.
package interop
