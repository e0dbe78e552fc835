package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/index"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// tag is the name of the image in the layout.
const tag = "local"

// user is the one that base images without a root user have agreed on. The image has no /etc/passwd.
const user = 65532

// entrypoint listens on all interfaces of the container: what reaches it is up to the ports that are published. The
// port of the downloads is fixed, since it has to be published too.
var entrypoint = []string{"/ecrkit", "local", "--addr", "0.0.0.0:4510", "--download-addr", "0.0.0.0:4512", "--data", "/data"}

// healthcheck asks the server on its own port. Docker reads it from the configuration of an image, of which the OCI
// specification has no such member; podman does so only from images of Docker's own format, and is told on its command
// line.
var healthcheck = &dockerspec.HealthcheckConfig{
	Test:     []string{"CMD", "/ecrkit", "local", "health"},
	Interval: 10 * time.Second, Timeout: 5 * time.Second, Retries: 3, StartPeriod: 30 * time.Second, StartInterval: time.Second,
}

// A binary is ecrkit for one architecture of Linux.
type binary struct {
	architecture string
	data         []byte
}

// source is where the binaries come from.
type source struct {
	version, revision string // revision is "" if the build does not know its commit
	time              time.Time
}

// labels returns the annotations of the index, which are also the labels of its images:
// https://github.com/opencontainers/image-spec/blob/v1.1.1/annotations.md.
func (s source) labels() map[string]string {
	labels := map[string]string{
		ocispec.AnnotationTitle:         "ecrkit local",
		ocispec.AnnotationDescription:   "A local Amazon ECR: the AWS API and the registry over one store",
		ocispec.AnnotationURL:           "https://github.com/ecrkit/ecrkit",
		ocispec.AnnotationSource:        "https://github.com/ecrkit/ecrkit",
		ocispec.AnnotationDocumentation: "https://github.com/ecrkit/ecrkit/blob/main/docs/local-ecr.md",
		ocispec.AnnotationLicenses:      "Apache-2.0",
		ocispec.AnnotationVersion:       s.version,
		ocispec.AnnotationCreated:       s.time.Format(time.RFC3339),
	}
	if s.revision != "" {
		labels[ocispec.AnnotationRevision] = s.revision
	}
	return labels
}

// write makes an image of each binary and an index of them in a layout at out, in the place of one that is there. It
// returns the compressed size of each layer in bytes. An error leaves out as it was.
func write(ctx context.Context, out string, binaries []binary, from source) ([]int64, error) {
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return nil, err
	}
	work, err := os.MkdirTemp(filepath.Dir(out), ".ecrkit-image-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)

	// Images are tagged in a layout of their own, so that the other one names nothing but the index.
	images, complete := layout.New(filepath.Join(work, "images")), filepath.Join(work, "layout")
	var additions []index.Addition
	var sizes []int64
	for _, b := range binaries {
		size, err := putImage(ctx, images, b, from)
		if err != nil {
			return nil, fmt.Errorf("linux/%s: %w", b.architecture, err)
		}
		additions = append(additions, index.Addition{Reference: b.architecture})
		sizes = append(sizes, size)
	}
	made, err := index.New(ctx, images, additions, index.Options{Type: index.OCI, Annotations: from.labels()})
	if err != nil {
		return nil, err
	}
	if _, err := made.Put(ctx, layout.New(complete), []string{tag}, transfer.Options{}); err != nil {
		return nil, err
	}
	old := filepath.Join(work, "old")
	replaced := layout.Is(out)
	if replaced {
		if err := os.Rename(out, old); err != nil {
			return nil, err
		}
	}
	// Rename refuses a directory with anything else in it.
	if err := os.Rename(complete, out); err != nil {
		if replaced {
			err = errors.Join(err, os.Rename(old, out))
		}
		return nil, err
	}
	return sizes, nil
}

// putImage stores the image of a binary under its architecture, and returns the compressed size of its layer in bytes.
func putImage(ctx context.Context, l *layout.Layout, b binary, from source) (int64, error) {
	compressed, diffID, err := layer(b.data, from.time)
	if err != nil {
		return 0, err
	}
	config, err := json.Marshal(dockerspec.DockerOCIImage{
		Image: ocispec.Image{
			Created:  &from.time,
			Platform: ocispec.Platform{OS: "linux", Architecture: b.architecture},
			RootFS:   ocispec.RootFS{Type: "layers", DiffIDs: []digest.Digest{diffID}},
			History:  []ocispec.History{{Created: &from.time, CreatedBy: "make image"}},
		},
		Config: dockerspec.DockerOCIImageConfig{
			ImageConfig: ocispec.ImageConfig{
				User:         fmt.Sprintf("%d:%d", user, user),
				Entrypoint:   entrypoint,
				WorkingDir:   "/",
				ExposedPorts: map[string]struct{}{"4510/tcp": {}, "4512/tcp": {}},
				Labels:       from.labels(),
			},
			DockerOCIImageConfigExt: dockerspec.DockerOCIImageConfigExt{Healthcheck: healthcheck},
		},
	})
	if err != nil {
		return 0, err
	}
	manifest := ocispec.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest}
	if manifest.Config, err = putBlob(ctx, l, ocispec.MediaTypeImageConfig, config); err != nil {
		return 0, err
	}
	stored, err := putBlob(ctx, l, ocispec.MediaTypeImageLayerGzip, compressed)
	if err != nil {
		return 0, err
	}
	manifest.Layers = []content.Descriptor{stored}
	data, err := json.Marshal(manifest)
	if err != nil {
		return 0, err
	}
	return stored.Size, l.PutTagged(ctx, content.NewManifest(data, manifest.MediaType), b.architecture)
}

func putBlob(ctx context.Context, l *layout.Layout, mediaType string, data []byte) (content.Descriptor, error) {
	d := content.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
	return d, l.PutBlob(ctx, d, bytes.NewReader(data))
}

// layer returns the only layer of an image, compressed, and the digest of its tar. They depend on nothing but the
// arguments and the Go release.
func layer(ecrkit []byte, modified time.Time) (compressed []byte, diffID digest.Digest, err error) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, h := range []tar.Header{
		{Typeflag: tar.TypeDir, Name: "data/", Mode: 0o700, Uid: user, Gid: user},
		{Typeflag: tar.TypeReg, Name: "ecrkit", Mode: 0o755, Size: int64(len(ecrkit))},
		{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777},
	} {
		h.ModTime, h.Format = modified, tar.FormatUSTAR
		if err := w.WriteHeader(&h); err != nil {
			return nil, "", err
		}
		if h.Typeflag == tar.TypeReg {
			if _, err := w.Write(ecrkit); err != nil {
				return nil, "", err
			}
		}
	}
	if err := w.Close(); err != nil {
		return nil, "", err
	}
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return nil, "", err
	}
	if _, err := z.Write(archive.Bytes()); err != nil {
		return nil, "", err
	}
	if err := z.Close(); err != nil {
		return nil, "", err
	}
	return packed.Bytes(), digest.FromBytes(archive.Bytes()), nil
}
