//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// koLayer builds an image of a program whose kodata, which ko makes a layer of, is the files of the version. The base image
// is one without files, in a local ECR: ko takes none from a file.
func koLayer(ctx context.Context, b *bench, dir string, v version, to string) error {
	server, stop, err := registry(ctx, dir)
	if err != nil {
		return err
	}
	defer stop()
	base := server.Registry + "/delta:base"
	password, err := server.Password()
	if err != nil {
		return err
	}
	reference, err := name.ParseReference(base)
	if err != nil {
		return err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(make([]byte, 1<<10))), nil })
	if err != nil {
		return err
	}
	image, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: runtime.GOARCH, RootFS: v1.RootFS{Type: "layers"}})
	if err == nil {
		image, err = mutate.AppendLayers(image, layer)
	}
	if err != nil {
		return err
	}
	if err := remote.Write(reference, image, remote.WithContext(ctx), remote.WithAuth(&authn.Basic{Username: "AWS", Password: password})); err != nil {
		return err
	}
	app := dir + "/app"
	return errors.Join(
		os.MkdirAll(app, 0o755),
		os.WriteFile(app+"/go.mod", []byte("module example.com/app\n\ngo 1.22\n"), 0o644),
		os.WriteFile(app+"/main.go", []byte("package main\n\nfunc main() { println(\"app\") }\n"), 0o644),
		os.CopyFS(app+"/kodata", regularFiles{os.DirFS(v.dir)}),
		b.command(ctx, app, "env", "DOCKER_CONFIG="+dir+"/config", "KO_DOCKER_REPO=example.com/app", "KO_DEFAULTBASEIMAGE="+base, "GOFLAGS=-mod=mod",
			b.find("ko"), "build", "--push=false", "--sbom=none", "--platform=linux/"+runtime.GOARCH, "--oci-layout-path="+filepath.Join(dir, "out"), "."),
		largest(dir+"/out", to))
}

// regularFiles are a directory without its links: ko follows them, and some lead out of it.
type regularFiles struct{ fs.FS }

func (r regularFiles) ReadDir(name string) (kept []fs.DirEntry, err error) {
	entries, err := fs.ReadDir(r.FS, name)
	for _, e := range entries {
		if e.IsDir() || e.Type().IsRegular() {
			kept = append(kept, e)
		}
	}
	return kept, err
}
