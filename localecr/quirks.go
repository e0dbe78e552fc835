package localecr

import (
	"fmt"
	"slices"
	"strings"
)

// A Quirk is a way in which ECR's /v2/, or the S3 behind it, differs from the OCI distribution specification or from other
// registries. All are on; [Options].QuirksOff turns some off.
type Quirk string

// The quirks, with where they were reported.
const (
	// QuirkPatchCreated: a PATCH of an upload answers 201, not 202 (regclient#82, tart#273).
	QuirkPatchCreated Quirk = "patch-created"
	// QuirkStickyRange: the Range of a later PATCH's answer is that of the first (containers-roadmap#2831).
	QuirkStickyRange Quirk = "sticky-range"
	// QuirkNoUploadStatus: a GET of an upload answers 404 (dotnet/sdk#33019).
	QuirkNoUploadStatus Quirk = "no-upload-status"
	// QuirkCommitOnDisconnect: what came of a PATCH that broke off stays (apple/container#1895).
	QuirkCommitOnDisconnect Quirk = "commit-on-disconnect"
	// QuirkNoDigestOnTagGet: a GET of a manifest by tag has no Docker-Content-Digest (oras-go#224).
	QuirkNoDigestOnTagGet Quirk = "no-digest-on-tag-get"
	// QuirkNoLocationOnManifestPut: a PUT of a manifest has no Location (rust-oci-client#33).
	QuirkNoLocationOnManifestPut Quirk = "no-location-on-manifest-put"
	// QuirkListLimit: lists refuse n above 1000 rather than give fewer (go-containerregistry#1091).
	QuirkListLimit Quirk = "list-limit"
	// QuirkImmutableRepush: pushing the same image to its own immutable tag is refused (containers-roadmap#2380).
	QuirkImmutableRepush Quirk = "immutable-repush"
	// QuirkOneAuthMechanism: a download with an Authorization header is refused (opa#6728). Off, it
	// helps clients that keep the header where registry and downloads have one host name: a server
	// that listens on all interfaces.
	QuirkOneAuthMechanism Quirk = "one-auth-mechanism"
)

// Quirks returns all quirks.
func Quirks() []Quirk {
	return []Quirk{QuirkPatchCreated, QuirkStickyRange, QuirkNoUploadStatus, QuirkCommitOnDisconnect,
		QuirkNoDigestOnTagGet, QuirkNoLocationOnManifestPut, QuirkListLimit, QuirkImmutableRepush, QuirkOneAuthMechanism}
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
