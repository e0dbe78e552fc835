package ref

import (
	"context"

	"github.com/ecrkit/ecrkit/transfer/internal/dockersave"
	"github.com/ecrkit/ecrkit/transfer/internal/tarball"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// kind reports what the tar holds. Docker writes archives that are both: those are
// OCI layouts only if they can be read as such with nothing missing and no layer
// to be compressed.
func kindOf(files tarball.Files) Kind {
	_, err := files.Lookup(tarball.DockerManifestFile)
	docker := err == nil
	if layout.CheckVersion(files) == nil && (!docker || dockersave.IsWhole(context.Background(), files)) {
		return KindArchive
	}
	if docker {
		return KindDockerArchive
	}
	return ""
}
