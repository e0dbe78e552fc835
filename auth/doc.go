// Package auth answers whose registry a host is and gets the authorization
// token that the registry takes.
//
// A [Registry] comes out of a host name by [ParseRegistry]: the names that
// Amazon ECR gives its private registries, and the hosts that a [Mapping] adds
// (a VPC endpoint, a CNAME, a local ECR). A [Minter] asks Amazon ECR for a
// [Token] with the AWS identity that the AWS SDK finds by its own conventions
// (AWS_PROFILE, AWS_ENDPOINT_URL_ECR, IMDS and so on; the SDK reads the
// environment of the process itself). [Helper] gives the token to docker
// by the credential helper protocol, [Keychain] to go-containerregistry.
package auth
