package formats

// Indexes with entries that are no images, and artifacts.

const emptyJSON = "application/vnd.oci.empty.v1+json"

// sociConvert is the index that `soci convert` makes: the SOCI index of each image is an
// entry with the image's platform. Here both images have the same one.
func sociConvert(m *maker) {
	amd64, arm64 := m.image("linux/amd64", "same"), m.image("linux/arm64", "same")
	const soci = "application/vnd.amazon.soci.index.v2+json"
	index := m.jsonBlob(ociManifest, object{"schemaVersion": 2, "mediaType": ociManifest, "artifactType": soci,
		"config": m.blob(soci, []byte("{}")), "layers": []object{m.blob("application/octet-stream", []byte("ztoc"))}})
	entry := func(platform string, image object) object {
		return with(on(platform, with(index, "artifactType", soci)), "annotations", object{"com.amazon.soci.image-manifest-digest": image["digest"]})
	}
	m.layout(named("1", m.index(on("linux/amd64", amd64), on("linux/arm64", arm64), entry("linux/amd64", amd64), entry("linux/arm64", arm64))))
}

// sociUntyped is the same without artifactType on the entries, as a registry or tool
// leaves them that does not know it.
func sociUntyped(m *maker) {
	amd64 := m.image("linux/amd64", "image")
	index := m.manifest(m.blob("application/vnd.amazon.soci.index.v2+json", []byte("{}")), m.blob("application/octet-stream", []byte("ztoc")))
	m.layout(named("1", m.index(on("linux/amd64", amd64), on("linux/amd64", index))))
}

// spdxEntry is an index with an SPDX document as an entry.
func spdxEntry(m *maker) {
	spdx := m.artifact("application/spdx+json", m.blob(emptyJSON, []byte("{}")), m.blob("application/spdx+json", []byte(`{"spdxVersion":"SPDX-2.3"}`)))
	m.layout(named("1", m.index(on("linux/amd64", m.image("linux/amd64", "image")), spdx)))
}

// artifact is a manifest with an artifactType.
func (m *maker) artifact(artifactType string, config object, layers ...object) object {
	return m.jsonBlob(ociManifest, object{"schemaVersion": 2, "mediaType": ociManifest, "artifactType": artifactType, "config": config, "layers": layers})
}

// koIndex is the index of ko and of `crane index append`: the artifactType of an entry is
// the media type of an image config.
func koIndex(m *maker) {
	m.layout(named("1", m.index(
		with(on("linux/amd64", m.image("linux/amd64", "amd64")), "artifactType", ociConfig),
		with(on("linux/arm64", m.image("linux/arm64", "arm64")), "artifactType", ociConfig),
	)))
}

// buildkitAttestation is an index of BuildKit 0.32: the attestation is an entry, and its
// subject is the image.
func buildkitAttestation(m *maker) {
	image := m.image("linux/amd64", "image")
	statement := m.jsonBlob(ociManifest, object{"schemaVersion": 2, "mediaType": ociManifest,
		"artifactType": "application/vnd.docker.attestation.manifest.v1+json", "config": m.blob(emptyJSON, []byte("{}")),
		"layers": []object{m.blob("application/vnd.in-toto+json", []byte(`{"_type":"https://in-toto.io/Statement/v0.1"}`))}, "subject": image})
	entry := with(on("unknown/unknown", statement), "annotations", object{"vnd.docker.reference.digest": image["digest"], "vnd.docker.reference.type": "attestation-manifest"})
	m.layout(named("1", m.index(on("linux/amd64", image), entry)))
}

// cranePull is `crane pull --format oci`: the entry has the annotations of the manifest,
// its name too, and its artifactType.
func cranePull(m *maker) {
	plain := layerOf("image")
	annotations := object{"org.opencontainers.image.ref.name": "ubuntu:24.04", "org.opencontainers.image.version": "24.04"}
	image := m.jsonBlob(ociManifest, object{"schemaVersion": 2, "mediaType": ociManifest, "annotations": annotations, "artifactType": "application/vnd.example.thing",
		"config": m.imageConfig("linux/amd64", plain), "layers": []object{m.blob(ociGzip, gzipped(plain))}})
	m.layout(with(image, "annotations", annotations, "artifactType", "application/vnd.example.thing"))
}

// cranePullTwice is `crane pull --format oci` into one directory twice: it appends its entry again, without a name.
func cranePullTwice(m *maker) {
	image := m.image("linux/amd64", "image")
	m.layout(image, image)
}

// cranePullMoved is the same when the tag had moved to another image before the second pull.
func cranePullMoved(m *maker) {
	m.layout(m.image("linux/amd64", "old"), m.image("linux/amd64", "new"))
}

// helmChart is a chart of Helm, pulled by oras or skopeo: its entry has no artifactType.
func helmChart(m *maker) {
	m.layout(named("1", m.manifest(m.blob("application/vnd.cncf.helm.config.v1+json", []byte(`{"name":"chart","version":"1.0.0","apiVersion":"v2"}`)),
		m.blob("application/vnd.cncf.helm.chart.content.v1.tar+gzip", gzipped(layerOf("chart"))))))
}

// conftestBundle is a bundle of conftest: a manifest without a media type.
func conftestBundle(m *maker) {
	bundle := m.jsonBlob(ociManifest, object{"schemaVersion": 2, "config": m.blob("application/vnd.unknown.config.v1+json", []byte("{}")),
		"layers": []object{m.blob("application/vnd.cncf.openpolicyagent.policy.layer.v1+rego", []byte("package main"))}})
	m.layout(named("1", bundle))
}

// buildkitCache is a cache that BuildKit exports with image-manifest=true.
func buildkitCache(m *maker) {
	m.layout(named("1", m.manifest(m.blob("application/vnd.buildkit.cacheconfig.v0", []byte(`{"layers":[]}`)), m.blob(ociGzip, gzipped(layerOf("cache"))))))
}

// orasArtifact is an artifact of oras in a layout: no artifactType on the entry.
func orasArtifact(m *maker) {
	m.layout(named("1", m.artifact("application/vnd.example.sbom", m.blob(emptyJSON, []byte("{}")), m.blob("text/plain", []byte("bom")))))
}
