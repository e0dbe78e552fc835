package formats

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
