package dockersave

import (
	"context"
	"io"
	"strings"

	"github.com/ecrkit/ecrkit/internal/imagetree"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/compress"
	"github.com/ecrkit/ecrkit/transfer/internal/indexedit"
	"github.com/ecrkit/ecrkit/transfer/internal/tarball"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// AnnotationOriginal is on an entry of index.json whose manifest is the one that was
// copied, although none of its layers is compressed. Docker without containerd's image
// store writes such manifests too, and makes them when it saves an image.
const AnnotationOriginal = "io.github.ecrkit.manifest"

// original is its value.
const original = "original"

// IsOriginal reports whether the manifest that an entry of index.json names is that of
// the image in a registry: its layers are not to be compressed. So it is unless docker
// made it, which makes nothing but images: no signature, no attestation. c is what it names.
func IsOriginal(files tarball.Files, entry content.Descriptor, c content.ManifestContents) bool {
	if c.Manifests != nil || len(c.Blobs) < 2 || entry.Annotations[AnnotationOriginal] == original {
		return true
	}
	for _, layer := range c.Blobs[1:] {
		if !isLayer(layer.MediaType) || IsCompressed(files, layer) {
			return true
		}
	}
	return false
}

// isLayer reports whether a media type is that of a layer of an image, which is a tar.
func isLayer(mediaType string) bool {
	return strings.HasPrefix(mediaType, "application/vnd.oci.image.layer.") || strings.HasPrefix(mediaType, "application/vnd.docker.image.rootfs.")
}

// IsCompressed reports whether the bytes of a layer in the archive are compressed,
// whatever its media type says.
func IsCompressed(files tarball.Files, layer content.Descriptor) bool {
	section, err := files.Lookup(layout.BlobPath(layer.Digest))
	if err != nil {
		return false
	}
	first := make([]byte, compress.MagicSize)
	n, err := section.ReadAt(first, 0)
	return (err == nil || err == io.EOF) && compress.Detect(first[:n]) != compress.None
}

// MarkOriginals puts [AnnotationOriginal] on the entries of an index.json of these images
// of which no layer is compressed; compressed reports whether one is.
func MarkOriginals(index []byte, images []content.Manifest, compressed func(content.Descriptor) bool) ([]byte, error) {
	doc, err := indexedit.Parse(index)
	if err != nil {
		return nil, err
	}
	entries, err := layout.DecodeIndex(index)
	if err != nil {
		return nil, err
	}
	marked := false
	for _, m := range images {
		c, err := Check(m)
		if err != nil || len(c.Blobs) < 2 {
			continue
		}
		plain := true
		for _, layer := range c.Blobs[1:] {
			plain = plain && !compressed(layer)
		}
		if !plain {
			continue
		}
		for i, raw := range doc.Entries() {
			if entries[i].Digest != m.Descriptor.Digest {
				continue
			}
			edited, err := indexedit.Annotate(raw, map[string]string{AnnotationOriginal: original}, nil)
			if err != nil {
				return nil, err
			}
			doc.Replace(i, edited)
			marked = true
		}
	}
	if !marked {
		return index, nil
	}
	return doc.Bytes(), nil
}

// IsWhole reports whether all that the index.json of an archive names is in it, as it is
// in a registry.
func IsWhole(ctx context.Context, files tarball.Files) bool {
	l := layout.NewReader(files, "")
	index, err := l.Index()
	if err != nil {
		return false
	}
	for _, d := range index {
		root, err := l.Manifests(ctx, []content.Descriptor{d})
		if err != nil {
			return false
		}
		g, err := imagetree.ReadBelow(ctx, l, root[0], true)
		if err != nil {
			return false
		}
		for _, m := range g.Manifests {
			if imagetree.CheckLayerCount(ctx, l, m) != nil {
				return false
			}
		}
		for _, b := range g.Blobs {
			if _, err := l.Blob(ctx, b); err != nil && !content.IsForeign(b.MediaType) {
				return false
			}
		}
		c, err := content.DecodeManifest(root[0].Content, d.MediaType)
		if err != nil || !IsOriginal(files, d, c) {
			return false
		}
	}
	return len(index) > 0
}
