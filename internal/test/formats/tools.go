package formats

import (
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
)

// containerdName is containerd's annotation for the full name of an image.
const containerdName = "io.containerd.image.name"

// tools makes what each tool writes.
var tools = map[string]func(*maker){
	"soci-convert":         sociConvert,
	"soci-untyped":         sociUntyped,
	"spdx-entry":           spdxEntry,
	"ko-index":             koIndex,
	"buildkit-attestation": buildkitAttestation,
	"crane-pull":           cranePull,
	"crane-pull-twice":     cranePullTwice,
	"crane-pull-moved":     cranePullMoved,
	"helm-chart":           helmChart,
	"conftest-bundle":      conftestBundle,
	"buildkit-cache":       buildkitCache,
	"oras-artifact":        orasArtifact,
	"skopeo":               skopeo,
	"buildx-same":          buildxSame,
	"ctr-export":           ctrExport,
	"cosign-save":          cosignSave,
	"regctl-referrers":     regctlReferrers,

	// Docker.
	"docker-25-no-layers":   docker25NoLayers,
	"docker-save-platforms": dockerSavePlatforms,
	"docker-save-plain":     dockerSavePlain,
	"docker-mixed":          func(m *maker) { dockerMixed(m, func(b []byte) []byte { return b }) },
	"docker-mixed-wrong":    func(m *maker) { dockerMixed(m, func([]byte) []byte { return gzipped(layerOf("something else")) }) },
	"docker-mixed-cut":      func(m *maker) { dockerMixed(m, func(b []byte) []byte { return b[:len(b)-12] }) },
	"docker-mixed-crc": func(m *maker) {
		dockerMixed(m, func(b []byte) []byte { b[len(b)-8] ^= 1; return b })
	},
	// An image of a registry with a layer that is not compressed, or compressed by zstd
	// under the type that Docker has for it.
	"plain-layer": func(m *maker) {
		plain := layerOf("plain")
		m.layout(named("1", m.manifest(m.imageConfig("linux/amd64", plain), m.blob(ociPlain, plain))))
	},
	// A Windows image of Docker, whose base layer is at a URL only.
	"foreign-layer": func(m *maker) {
		plain, absent := layerOf("own"), layerOf("foreign")
		m.layout(named("1", m.manifest(m.imageConfig("windows/amd64", absent, plain),
			object{"mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "digest": digest.FromBytes(absent), "size": len(absent), "urls": []string{"https://127.0.0.1:1/layer"}},
			m.blob(ociPlain, plain))))
	},
	"docker-zstd": func(m *maker) {
		plain := layerOf("zstd")
		w, _ := zstd.NewWriter(nil)
		config := with(m.imageConfig("linux/amd64", plain), "mediaType", "application/vnd.docker.container.image.v1+json")
		const manifest = "application/vnd.docker.distribution.manifest.v2+json"
		m.layout(named("1", m.jsonBlob(manifest, object{"schemaVersion": 2, "mediaType": manifest, "config": config,
			"layers": []object{m.blob("application/vnd.docker.image.rootfs.diff.tar.zstd", w.EncodeAll(plain, nil))}})))
	},
}

// docker25NoLayers is `docker save` of Docker 25.0.0: manifest.json is right, and the
// manifest that index.json names has no layers (moby#47065).
func docker25NoLayers(m *maker) {
	one, two := layerOf("one"), layerOf("two")
	config := m.imageConfig("linux/amd64", one, two)
	m.blob(ociPlain, one)
	m.blob(ociPlain, two)
	m.layout(named("1", m.jsonBlob(ociManifest, object{"schemaVersion": 2, "mediaType": ociManifest, "config": config, "layers": nil}),
		containerdName, "docker.io/library/app:1"))
	m.saved("app:1", config, digest.FromBytes(one), digest.FromBytes(two))
}

// saved writes manifest.json with one image, whose files are in blobs/.
func (m *maker) saved(name string, config object, layers ...digest.Digest) {
	path := func(d string) string { return "blobs/" + strings.Replace(d, ":", "/", 1) }
	files := []string{}
	for _, l := range layers {
		files = append(files, path(l.String()))
	}
	m.json("manifest.json", []object{{"Config": path(config["digest"].(string)), "RepoTags": []string{name}, "Layers": files}})
}

// dockerSavePlatforms is `docker save` of two platforms, with containerd's image store:
// manifest.json has the image for this machine.
func dockerSavePlatforms(m *maker) {
	plain := layerOf("amd64")
	layer := m.blob(ociGzip, gzipped(plain))
	config := m.imageConfig("linux/amd64", plain)
	m.saved("app:1", config, digest.Digest(layer["digest"].(string)))
	index := m.index(on("linux/amd64", m.manifest(config, layer)), on("linux/arm64", m.image("linux/arm64", "arm64")))
	m.layout(named("1", index, containerdName, "docker.io/library/app:1"))
}

// dockerSavePlain is `docker save` without containerd's image store: the layers are not
// compressed, and the manifest is made when the image is saved.
func dockerSavePlain(m *maker) {
	plain := layerOf("plain")
	layer, config := m.blob(ociPlain, plain), m.imageConfig("linux/amd64", plain)
	m.layout(named("1", m.manifest(config, layer), containerdName, "docker.io/library/app:1"))
	m.saved("app:1", config, digest.FromBytes(plain))
}

// dockerMixed is a docker archive with a plain layer, and with a packed one that change
// makes wrong.
func dockerMixed(m *maker, change func([]byte) []byte) {
	a, c := layerOf("a"), layerOf("c")
	m.json("config.json", object{"os": "linux", "architecture": "amd64", "rootfs": object{"type": "layers", "diff_ids": diffIDs(a, c)}})
	m.file("a/layer.tar", a)
	m.file("c/layer.tar", change(gzipped(c)))
	m.json("manifest.json", []object{{"Config": "config.json", "RepoTags": []string{"app:1"}, "Layers": []string{"a/layer.tar", "c/layer.tar"}}})
}
