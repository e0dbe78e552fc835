package localecr

import (
	"fmt"
	"slices"
	"strings"
)

// A Quirk is a way in which ECR, or the S3 behind it, differs from the OCI distribution specification or from other
// registries, or an answer of ECR that is not documented. All are on; [Options].QuirksOff turns some off.
type Quirk string

// The quirks, with where they were reported.
const (
	// QuirkPatchCreated: a PATCH of an upload answers 201, not 202 (regclient#82, tart#273).
	QuirkPatchCreated Quirk = "patch-created"
	// QuirkStickyRange: the Range of a later PATCH's answer is that of the first (containers-roadmap#2831).
	QuirkStickyRange Quirk = "sticky-range"
	// QuirkNoUploadStatus: a GET of an upload answers 404 (dotnet/sdk#33019).
	QuirkNoUploadStatus Quirk = "no-upload-status"
	// QuirkNoUploadDelete: a DELETE of an upload answers 405. Nobody has reported ECR's answer; off, the upload is
	// cancelled as the OCI distribution specification has it (204).
	QuirkNoUploadDelete Quirk = "no-upload-delete"
	// QuirkCommitOnDisconnect: what was received of a PATCH that broke off is kept (apple/container#1895).
	QuirkCommitOnDisconnect Quirk = "commit-on-disconnect"
	// QuirkNoDigestOnTagGet: a GET of a manifest by tag has no Docker-Content-Digest (oras-go#224).
	QuirkNoDigestOnTagGet Quirk = "no-digest-on-tag-get"
	// QuirkNoLocationOnManifestPut: a PUT of a manifest has no Location (rust-oci-client#33).
	QuirkNoLocationOnManifestPut Quirk = "no-location-on-manifest-put"
	// QuirkListLimit: lists refuse n above 1000 rather than return fewer (go-containerregistry#1091).
	QuirkListLimit Quirk = "list-limit"
	// QuirkImmutableRepush: over /v2/, pushing the same image to its own immutable tag is refused (containers-roadmap#2380).
	QuirkImmutableRepush Quirk = "immutable-repush"
	// QuirkImmutableImageExists: PutImage of the same image with its own immutable tag answers ImageAlreadyExistsException,
	// as for a mutable tag. Off, it answers ImageTagAlreadyExistsException. Which one ECR prefers is not documented.
	QuirkImmutableImageExists Quirk = "immutable-image-exists"
	// QuirkOneAuthMechanism: a download with an Authorization header is refused (opa#6728). Off, it helps clients that
	// keep the header where registry and downloads have one host name: a server that listens on all interfaces.
	QuirkOneAuthMechanism Quirk = "one-auth-mechanism"
	// QuirkNoConfigAnnotations: a manifest whose config descriptor has annotations is refused (acceleration-service#353).
	QuirkNoConfigAnnotations Quirk = "no-config-annotations"
	// QuirkEmptyIndex: an index without entries is taken. Whether ECR takes it is not known.
	QuirkEmptyIndex Quirk = "empty-index"
	// QuirkAnySize: the size in a descriptor may differ from that of its blob or manifest. Whether ECR compares them is
	// not known; off, the manifest is refused.
	QuirkAnySize Quirk = "any-size"
	// QuirkBuildKitArtifact: the attestation of BuildKit 0.32 and later, an OCI artifact, is taken. Off, it is refused, as
	// ECR was once reported to do (containers-roadmap#2783, buildkit#6171).
	QuirkBuildKitArtifact Quirk = "buildkit-artifact"
)

// Quirks returns all quirks.
func Quirks() []Quirk {
	return []Quirk{QuirkPatchCreated, QuirkStickyRange, QuirkNoUploadStatus, QuirkNoUploadDelete, QuirkCommitOnDisconnect,
		QuirkNoDigestOnTagGet, QuirkNoLocationOnManifestPut, QuirkListLimit, QuirkImmutableRepush, QuirkImmutableImageExists, QuirkOneAuthMechanism,
		QuirkNoConfigAnnotations, QuirkEmptyIndex, QuirkAnySize, QuirkBuildKitArtifact}
}

// ParseQuirk returns the quirk of a name.
func ParseQuirk(name string) (Quirk, error) {
	if slices.Contains(Quirks(), Quirk(name)) {
		return Quirk(name), nil
	}
	names := make([]string, len(Quirks()))
	for i, known := range Quirks() {
		names[i] = string(known)
	}
	return "", fmt.Errorf("quirk %q is not known; there are %s", name, strings.Join(names, ", "))
}
