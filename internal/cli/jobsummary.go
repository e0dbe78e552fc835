package cli

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/ecrkit/ecrkit/internal/markdown"
)

// summaryOf is a table in Markdown for the summary of a job.
func summaryOf(title string, all []made) string {
	var out strings.Builder
	fmt.Fprintf(&out, "### %s\n\n| Image | Digest | Moved | Mounted | Skipped | Time | Scan gate | Signed by |\n|---|---|---|---|---|---|---|---|\n", markdown.Plain(title))
	for _, m := range all {
		var references []string
		for _, r := range m.references {
			references = append(references, markdown.Code(r.String()))
		}
		moved, mounted, skipped, took := "–", "–", "–", "–"
		if r := m.copied; r != nil {
			moved, mounted, skipped = amount(r.BlobsSent, r.BytesSent+r.BytesResumed), amount(r.BlobsMounted, r.BytesMounted), amount(r.BlobsSkipped, r.BytesSkipped)
			took = fmt.Sprintf("%.1f s", r.Seconds)
		}
		var signers []string
		for _, s := range m.signers {
			signers = append(signers, markdown.Code(s))
		}
		fmt.Fprintf(&out, "| %s | %s | %s | %s | %s | %s | %s | %s |\n", strings.Join(references, "<br>"), markdown.Code(string(m.descriptor.Digest)),
			moved, mounted, skipped, took, cmp.Or(markdown.Plain(m.gate), "–"), cmp.Or(strings.Join(signers, "<br>"), "–"))
	}
	return out.String() + "\n"
}

func amount(n int, bytes int64) string {
	return fmt.Sprintf("%s in %d", humanize.IBytes(uint64(bytes)), n)
}
