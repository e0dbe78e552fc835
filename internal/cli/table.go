package cli

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/dustin/go-humanize"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/internal/ui"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// table is text in columns, of which the last is cut where a terminal ends. Columns before it that do not fit are written
// below their row.
type table struct {
	header []string
	rows   [][]string
	wrap   bool // the last column goes on in further lines instead
	// digests are shortened, on a terminal that has no room for all of a row.
	digests bool
}

func (t *table) add(cells ...string) {
	for i, cell := range cells {
		cells[i] = printable(cell)
	}
	t.rows = append(t.rows, cells)
}

// printable makes one line of a text that an image brings: whoever made the image
// must not be able to command the terminal.
func printable(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// print writes the table, nothing if it has no rows. columns is the width of the
// terminal, 0 if it is written to none.
func (t *table) print(w io.Writer, columns int) error {
	if len(t.rows) == 0 {
		return nil
	}
	rows := append([][]string{t.header}, t.rows...)
	last := len(t.header) - 1
	if t.digests && columns > 0 && t.columns() > columns {
		rows = shortenDigests(rows)
	}
	if t.wrap && columns > 0 {
		return t.printWrapped(w, columns)
	}
	width := make([]int, last)
	before := 0
	for i := range width {
		for _, row := range rows {
			width[i] = max(width[i], utf8.RuneCountInString(row[i]))
		}
		before += width[i] + 2
	}
	if columns >= minWrapColumns && last > 0 && before+utf8.RuneCountInString(t.header[last]) > columns {
		all := table{header: t.header, rows: rows[1:]}
		return all.printBelow(w, columns, append(width, 0))
	}
	var out strings.Builder
	for _, row := range rows {
		var line strings.Builder
		for i, n := range width {
			fmt.Fprintf(&line, "%-*s  ", n, row[i])
		}
		line.WriteString(cut(row[last], max(columns-before, utf8.RuneCountInString(t.header[last])), columns > 0 && last > 0))
		out.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// columns is how wide the table is as a whole.
func (t *table) columns() int {
	widest := 0
	for i := range t.header {
		column := utf8.RuneCountInString(t.header[i])
		for _, row := range t.rows {
			column = max(column, utf8.RuneCountInString(row[i]))
		}
		widest += column + 2
	}
	return widest - 2
}

func shortenDigests(rows [][]string) [][]string {
	var shortened [][]string
	for _, row := range rows {
		var cells []string
		for _, cell := range row {
			cells = append(cells, ui.ShortenDigests(cell))
		}
		shortened = append(shortened, cells)
	}
	return shortened
}

// cut shortens s to n columns, but never to nothing.
func cut(s string, n int, cutting bool) string {
	n = max(n, 8)
	if runes := []rune(s); cutting && len(runes) > n {
		return string(runes[:n-1]) + "…"
	}
	return s
}

// age is how long ago t was, for people.
func (app *App) age(t *time.Time) string {
	if t == nil || t.IsZero() {
		return "-"
	}
	return humanize.RelTime(*t, app.Now(), "ago", "from now")
}

func showSize(n int64) string {
	if n <= 0 {
		return "-"
	}
	return humanize.IBytes(uint64(n))
}

// showDigest is the digest, on a terminal only so much of it as tells images
// apart.
func showDigest(d digest.Digest, columns int) string {
	const short = len("sha256:") + 12
	switch {
	case d == "":
		return "-"
	case columns > 0 && len(d) > short:
		return string(d[:short])
	}
	return string(d)
}

func showTags(tags []string) string {
	if len(tags) == 0 {
		return "-"
	}
	return strings.Join(tags, ", ")
}

// kindOf is a media type in a word, for people.
func kindOf(mediaType, artifactType string) string {
	switch mediaType {
	case "":
		return "-"
	case ocispec.MediaTypeImageIndex, "application/vnd.docker.distribution.manifest.list.v2+json":
		return "index"
	case ocispec.MediaTypeImageManifest, "application/vnd.docker.distribution.manifest.v2+json":
		switch artifactType {
		case "", ocispec.MediaTypeImageConfig, "application/vnd.docker.container.image.v1+json":
			return "image"
		}
		return artifactKind(artifactType)
	}
	return strings.TrimPrefix(mediaType, "application/")
}

// taggedKind is [kindOf] of an image with tags. Tags that are made of digests say what cosign attaches to those images by them,
// whose manifests look like those of images.
func taggedKind(mediaType, artifactType string, tags []string) string {
	kinds := map[string]bool{}
	for _, tag := range tags {
		_, kind, ok := content.ParseDigestTag(tag)
		if !ok {
			return kindOf(mediaType, artifactType)
		}
		kinds[kind] = true
	}
	kind := kindOf(mediaType, artifactType)
	for attached, name := range map[string]string{content.DigestTagSignatures: "signature", content.DigestTagAttestation: "attestation", content.DigestTagSBOM: "SBOM"} {
		if kind == "image" && len(kinds) == 1 && kinds[attached] {
			return name
		}
	}
	if kind == "index" && len(kinds) == 1 && kinds[content.DigestTagReferrers] {
		return "referrers"
	}
	return kind
}

// artifactKind is the type of an artifact in a word, if there is one for it.
func artifactKind(artifactType string) string {
	for _, known := range []struct{ part, kind string }{
		{"vnd.dev.sigstore.bundle", "signature"}, {"vnd.cncf.notary.signature", "signature"}, {"vnd.dev.cosign.artifact.sig", "signature"},
		{"vnd.docker.attestation", "attestation"}, {"vnd.in-toto", "attestation"},
		{"vnd.amazon.soci.index", "SOCI index"},
		{"spdx", "SBOM"}, {"cyclonedx", "SBOM"},
	} {
		if strings.Contains(artifactType, known.part) {
			return known.kind
		}
	}
	return strings.TrimPrefix(artifactType, "application/")
}
