// Package auth finds the registry behind a host and obtains the authorization token
// that the registry accepts.
//
// [Registries] parse a host name into a [Registry]: the names of Amazon ECR's private
// registries and of ECR Public, and the hosts that a [Mapping] or a [Rule] adds (a VPC
// endpoint, a CNAME, a local ECR). [Tokens] returns a [Token] for it, with the AWS
// identity that the AWS SDK finds by its own conventions (AWS_PROFILE,
// AWS_ENDPOINT_URL_ECR, an instance role), from memory and the token cache of package
// tokenstore, or from Amazon ECR by a [Minter]. A token is renewed at half of its
// life. [Transport] adds tokens to HTTP requests, [CredentialHelper] speaks docker's credential
// helper protocol, and package keychain serves go-containerregistry.
package auth
