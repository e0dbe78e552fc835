// Package registry is one repository of any registry that speaks the OCI distribution API as
// an endpoint of package transfer:
// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md.
//
// Credentials go to the host of the registry and to its token server in the same domain, never
// elsewhere and never in plain text to another machine.
package registry
