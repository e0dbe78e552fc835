// Package sign signs images and verifies their signatures, in the formats that
// cosign reads and writes.
//
//	signer, err := sign.NewSigner(ctx, "release.key", key)
//	signed, err := sign.Sign(ctx, repository, image, signer, sign.Options{})
//
//	key, err := sign.ParsePublicKey("release.pub", pem)
//	verification, err := sign.Verify(ctx, repository, image, sign.Requirements{Keys: []*sign.Key{key}})
//
// An image is signed and verified where it is: in a registry or in an OCI layout,
// through the endpoints of package transfer. Nothing else is asked, no
// transparency log, no timestamp authority, no root of trust on the net: a
// signature is good if one of the keys made it, over this image.
//
// # Formats
//
// [FormatBundle] is what cosign v3 writes: a Sigstore bundle with a DSSE envelope
// in a manifest whose subject is the image. [FormatLegacy] is what cosign wrote
// before: a payload whose signature is an annotation, below the tag
// sha256-HEX.sig. [FormatOCI11], the same payload in a manifest whose subject is
// the image, is read only.
//
// # Keys
//
// A key that signs is in a file ([ParsePrivateKey]) or in AWS KMS (package awskms; the
// key is named as [ParseKMSReference] reads it). Any other signer of sigstore will do as well. ECDSA P-256 is verified by everybody;
// [Signer.Warning] reports who does not verify signatures by another key.
//
// # Policies
//
// A [Policy] says for each repository what [Requirements] its images have and with
// which key a push signs; people write it in YAML.
//
//	policy, err := sign.ReadPolicy("policy.yaml")
//	rule := policy.Rule("123456789012.dkr.ecr.us-east-1.amazonaws.com/app")
//	if rule.Action == sign.ActionVerify {
//		required, err := rule.Requirements(ctx, loadKey)
//		verification, err := sign.Verify(ctx, repository, image, required)
//	}
//
// # Files
//
// [SignBlob] signs a file that is not in a registry, and [VerifyBlob] verifies it, with
// bundles of the same form.
//
// # What is not taken for a signature
//
// An attestation is not a signature: a signed bill of materials says what is in an image, not
// that someone released it. Neither is an error of the registry: what cannot be
// read is an error, never "unsigned".
package sign
