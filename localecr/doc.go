// Package localecr is an Amazon ECR in this process: the AWS API and the registry's /v2/ over one
// store, as strict as the real one, for tests, demos and offline pipelines. It needs no Docker, no
// account and no network.
//
// In a test it is used like httptest:
//
//	srv, err := localecr.New(localecr.Options{})
//	if err != nil { … }
//	srv.Start(t)                                  // loopback, closed when the test ends
//	cmd.Env = append(os.Environ(), srv.Env()...)  // for the AWS SDK, the aws CLI and ecrkit
//	image := srv.Registry + "/app:1.0"            // 127.0.0.1:PORT/app:1.0
//
// A [Server] is an http.Handler too, for whoever wants to listen by other means.
//
// # Fronts
//
// The AWS API is served at /: ECR and KMS by AWS JSON 1.1, STS by the query protocol, each with its
// signature checked. The registry is served at /v2/, with the authorization token as the password of
// the user AWS. A layer is downloaded by a pre-signed URL from a listener of its own, the stand-in
// for S3. All three are on one store (see [github.com/ecrkit/ecrkit/localecr/internal/registry] for
// the rules and the disk), so that an image pushed by docker is at once in DescribeImages, and a layer
// uploaded through the API can at once be pulled.
//
// # Registries
//
// Each account has a registry in each region. The caller's keys say which account, and the scope of
// the signature which region. On /v2/ the name of the host says both:
// ACCOUNT.dkr.ecr.REGION.localhost:PORT; any other name is the registry of the first account in
// [DefaultRegion]. Another account's registry is refused: repository policies are stored, not
// evaluated.
//
// # What tests want to bend
//
// [Clock] moves the time of the service: tokens expire in a millisecond. [Quotas] throttle as AWS
// does. [Fault] scripts failures: resets, 5xx, 429, stalls, wrong bytes, short bodies. [Recorder] and
// [AuditTo] tell which calls were made. [Quirk] names where ECR differs from other registries, each of
// which can be turned off. [ScanFixture] says what image scanning finds. [Shape] gives every connection a round-trip time and a rate.
package localecr
