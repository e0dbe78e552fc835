package formats

import "strings"

// Layouts, which differ in how their entries are named.

// skopeo is `skopeo copy` and `podman push` to oci:DIR:NAME with a name in full.
func skopeo(m *maker) {
	m.layout(
		named("docker.io/library/alpine:3", m.image("linux/amd64", "alpine")),
		named("quay.io/team/app:1", m.image("linux/amd64", "app")),
	)
}

// buildxSame is a layout into which buildx has written two images with one tag
// (buildx#2952): the older one keeps its entry.
func buildxSame(m *maker) {
	m.layout(named("latest", m.image("linux/amd64", "old")), named("latest", m.image("linux/amd64", "new")))
}

// ctrExport is `ctr images export FILE HOST/a:1 HOST/b:1`: both have the short tag, and
// containerd's annotation tells them apart.
func ctrExport(m *maker) {
	m.layout(
		named("1", m.image("linux/amd64", "a"), containerdName, "registry.example.com/a:1"),
		named("1", m.image("linux/amd64", "b"), containerdName, "registry.example.com/b:1"),
		named("2", m.image("linux/amd64", "c"), containerdName, "docker.io/library/c:2"),
	)
}

// cosignSave is `cosign save` of an image with a signature of the old form and a bundle:
// the entries have kinds and no names, and the bundle's manifest has no entry.
func cosignSave(m *maker) {
	const kind, cosign = "kind", "dev.cosignproject.cosign/"
	image := m.image("linux/amd64", "signed")
	subject := object{"mediaType": image["mediaType"], "digest": image["digest"], "size": image["size"]}
	bundle := m.blob("application/vnd.dev.sigstore.bundle.v0.3+json", []byte(`{"made":"bundle"}`))
	m.jsonBlob(ociManifest, object{
		"schemaVersion": 2, "mediaType": ociManifest, "artifactType": "application/vnd.dev.sigstore.bundle.v0.3+json",
		"config": m.blob("application/vnd.oci.empty.v1+json", []byte("{}")), "layers": []object{bundle}, "subject": subject,
	})
	signature := m.manifest(m.imageConfig("linux/amd64", layerOf("sig")), m.blob("application/vnd.dev.cosign.simplesigning.v1+json", layerOf("sig")))
	m.layout(
		with(image, "annotations", object{kind: cosign + "image"}),
		with(signature, "annotations", object{kind: cosign + "sigs"}),
	)
}

// regctlReferrers is `regctl artifact put --subject ocidir://DIR:1`: the list of referrers
// has an entry by the tag that registries without the API have it under, and the manifest
// of the referrer has none.
func regctlReferrers(m *maker) {
	const sbom = "application/vnd.example.sbom"
	image := m.image("linux/amd64", "app")
	subject := object{"mediaType": image["mediaType"], "digest": image["digest"], "size": image["size"]}
	referrer := m.jsonBlob(ociManifest, object{"schemaVersion": 2, "mediaType": ociManifest, "artifactType": sbom,
		"config": m.blob(emptyJSON, []byte("{}")), "layers": []object{m.blob("text/plain", []byte("bom"))}, "subject": subject})
	list := m.jsonBlob(ociIndex, object{"schemaVersion": 2, "mediaType": ociIndex, "manifests": []object{with(referrer, "artifactType", sbom)}})
	m.layout(named("1", image), named(strings.Replace(image["digest"].(string), ":", "-", 1), list))
}
