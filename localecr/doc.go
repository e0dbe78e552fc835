// Package localecr runs an Amazon ECR in this process: the AWS API and the registry's /v2/ over one store, as strict as
// the real one, for tests, demos and offline pipelines. It needs no Docker, no AWS account and no network.
//
// In a test it is used like net/http/httptest:
//
//	srv, err := localecr.New(localecr.Options{})
//	if err != nil {
//		t.Fatal(err)
//	}
//	srv.Start(t)  // on loopback; closed when the test ends
//	srv.Setenv(t) // for AWS SDKs, the aws CLI and ecrkit
//
// SDK clients in the same process take [Server.AWSConfig], programs that the test runs take [Server.Env], and clients of
// /v2/ call [Server].Registry as the user AWS with [Server.Password]. [Server.PutImage] puts in an image to begin with.
//
// # Endpoints
//
// The AWS API is served at /: ECR and KMS by AWS JSON 1.1, STS by the query protocol, each with its signature checked.
// The registry is served at /v2/; the password of its user AWS is an authorization token. Layers are downloaded by
// pre-signed URLs from a port of their own, in place of S3. All of them use one store, so that an image pushed by docker
// is in DescribeImages at once, and a layer uploaded through the API can be pulled at once.
//
// # Registries
//
// Each account has a registry in each region. In the AWS API the caller's keys select the account, and the scope of the
// signature selects the region. On /v2/ the host name selects both: ACCOUNT.dkr.ecr.REGION.localhost:PORT. Any other name
// selects the default registry: that of the first account in [DefaultRegion]. Another account's registry is refused,
// unless its policies allow the caller: they are evaluated as soon as a user or role of [Options.Accounts] has policies.
//
// # Test conditions
//
//   - [Clock] moves the server's time: tokens expire in a millisecond.
//   - [Quotas] throttle as AWS does, and [Limits] bound sizes and counts.
//   - [Fault] scripts failures: resets, 5xx, 429, stalls, wrong bytes, short bodies.
//   - [Recorder] and [AuditTo] record which calls were made.
//   - [Quirk] names where ECR differs from other registries. Each quirk can be turned off.
//   - [ScanFixture] sets what image scanning finds.
//   - [NetworkShape] sets the round-trip time and the rate of a network.
package localecr
