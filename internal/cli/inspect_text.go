package cli

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/internal/safetext"
	"github.com/ecrkit/ecrkit/transfer"
)

// inspectFields is the width of the names of fields.
const inspectFields = 12

// inspectText is the summary for people.
func (app *App) inspectText(r inspected) string {
	var out strings.Builder
	columns := app.columns()
	field := func(name, value string) {
		if value != "" && value != "-" {
			out.WriteString(safetext.Field(name, printable(value), inspectFields, columns))
		}
	}
	field("Image", r.Reference)
	field("Digest", string(r.Digest))
	field("Type", fmt.Sprintf("%s (%s, %s)", taggedKind(r.MediaType, r.ArtifactType, r.Tags), r.MediaType, showSize(r.ManifestSize)))
	field("Tags", showTags(r.Tags))
	field("Pushed", app.when(r.PushedAt))
	field("Pulled", app.when(r.PulledAt))
	if r.Status != "ACTIVE" {
		field("Status", r.Status)
	}
	field("Size", showSize(r.Size))
	if r.Subject != nil {
		field("Subject", string(r.Subject.Digest))
	}
	one := len(r.Images) == 1 && r.Images[0].Digest == r.Digest
	if one {
		image := r.Images[0]
		field("Platform", image.Platform)
		field("Created", app.when(image.CreatedAt))
		field("Config", fmt.Sprintf("%s (%s, %s)", image.Config.Digest, image.Config.MediaType, showSize(image.Config.Size)))
		executionText(field, image.Execution)
	}
	pairs(&out, "Annotations", r.Annotations, columns)
	if one {
		if x := r.Images[0].Execution; x != nil {
			pairs(&out, "Labels", x.Labels, columns)
		}
	}
	out.WriteByte('\n')
	t := imagesTable(r.Images)
	if one {
		t = layersTable(r.Images[0].Layers)
	}
	_ = t.print(&out, columns) // a strings.Builder takes everything
	return strings.TrimRight(out.String(), "\n") + "\n"
}

// executionText shows what runs in the image.
func executionText(field func(name, value string), x *ocispec.ImageConfig) {
	if x == nil {
		return
	}
	command := func(words []string) string {
		if len(words) == 0 {
			return ""
		}
		// As in a Dockerfile; && and > are common in them.
		var text strings.Builder
		encoder := json.NewEncoder(&text)
		encoder.SetEscapeHTML(false)
		_ = encoder.Encode(words) // strings
		return strings.TrimSpace(text.String())
	}
	field("Entrypoint", command(x.Entrypoint))
	field("Command", command(x.Cmd))
	field("Directory", x.WorkingDir)
	field("User", x.User)
	field("Ports", strings.Join(slices.Sorted(maps.Keys(x.ExposedPorts)), ", "))
	field("Volumes", strings.Join(slices.Sorted(maps.Keys(x.Volumes)), ", "))
	if n := len(x.Env); n > 0 {
		field("Environment", english.Plural(n, "variable", "")+" (see --config)")
	}
}

func imagesTable(images []transfer.InspectedImage) *table {
	t := &table{header: []string{"PLATFORM", "SIZE", "LAYERS", "DIGEST"}, digests: true}
	for _, i := range images {
		name := i.Platform
		switch {
		case i.Attests != "":
			name = "attestation"
		case name == "":
			name = kindOf(i.MediaType, i.ArtifactType)
		}
		digest := string(i.Digest)
		if i.Missing {
			digest += " (missing)"
		}
		if i.Attests != "" {
			digest += " of " + string(i.Attests)
		}
		t.add(name, showSize(i.Size), fmt.Sprint(len(i.Layers)), digest)
	}
	return t
}

func layersTable(layers []transfer.InspectedLayer) *table {
	t := &table{header: []string{"LAYER", "SIZE", "CREATED BY"}, digests: true}
	for _, l := range layers {
		t.add(string(l.Digest), showSize(l.Size), l.CreatedBy)
	}
	return t
}

// pairs shows keys and values, a pair a line.
func pairs(out *strings.Builder, name string, values map[string]string, columns int) {
	if len(values) == 0 {
		return
	}
	fmt.Fprintf(out, "%s:\n", name)
	for _, key := range slices.Sorted(maps.Keys(values)) {
		out.WriteString(safetext.Hang("  ", printable(key)+"="+printable(values[key]), "    ", columns))
	}
}

// when is a time and how long ago it was, for people.
func (app *App) when(t *time.Time) string {
	if t == nil || t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC") + " (" + app.age(t) + ")"
}
