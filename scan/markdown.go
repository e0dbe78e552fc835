package scan

import (
	"fmt"
	"html"
	"io"
	"net/url"
	"strings"

	"github.com/dustin/go-humanize/english"

	"github.com/ecrkit/ecrkit/internal/markdown"
)

// A comment on GitHub has at most 65,536 characters.
const (
	maxMarkdown       = 60_000
	maxMarkdownRows   = 25 // of findings that are shown without a click
	maxMarkdownImages = 50
	maxMarkdownNotes  = 20 // warnings
)

func (v Verdict) writeMarkdown(w io.Writer) error {
	var out strings.Builder
	switch v.Outcome {
	case Passed:
		out.WriteString("### ✅ Scan gate passed\n")
	case Failed:
		out.WriteString("### ❌ Scan gate failed\n")
	case NoResult:
		out.WriteString("### ⚠️ Scan gate: no result\n")
	default:
		out.WriteString("### Image scan\n")
	}
	v.markdownImages(&out)
	var blocking, others []markdownRow
	for _, i := range v.Images {
		for _, j := range i.Judged {
			row := markdownRow{platform: i.Platform, judgement: j}
			if j.Decision == Blocks {
				blocking = append(blocking, row)
			} else {
				others = append(others, row)
			}
		}
	}
	several := len(v.Images) > 1
	if len(blocking) > 0 {
		fmt.Fprintf(&out, "\n**%s**\n\n", english.Plural(len(blocking), "finding blocks", "findings block"))
		shown := blocking[:min(len(blocking), maxMarkdownRows)]
		markdownTable(&out, shown, several)
		if rest := blocking[len(shown):]; len(rest) > 0 {
			details(&out, english.Plural(len(rest), "more finding that blocks", "more findings that block"), rest, several)
		}
	}
	if len(v.Warnings) > 0 {
		out.WriteString("\n")
		for _, warning := range v.Warnings[:min(len(v.Warnings), maxMarkdownNotes)] {
			fmt.Fprintf(&out, "- ⚠️ %s\n", markdown.Plain(cut(warning, 500)))
		}
		if more := len(v.Warnings) - maxMarkdownNotes; more > 0 {
			fmt.Fprintf(&out, "- and %s\n", english.Plural(more, "more warning", ""))
		}
	}
	if len(others) > 0 {
		title := english.Plural(len(others), "finding", "")
		if len(blocking) > 0 {
			title = english.Plural(len(others), "other finding", "")
		}
		details(&out, title, others, several)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// markdownImages is a line for each image, with its counts, and what it breaks.
func (v Verdict) markdownImages(out *strings.Builder) {
	out.WriteString("\n| Image | Result | Critical | High | Medium | Low | Other |\n|---|---|--:|--:|--:|--:|--:|\n")
	shown := v.Images[:min(len(v.Images), maxMarkdownImages)]
	for _, i := range shown {
		result := map[Outcome]string{Passed: "✅ passed", Failed: "❌ failed", NoResult: "⚠️ no result"}[i.Outcome]
		if result == "" {
			result = markdown.Plain(string(i.Status))
		}
		name := markdown.Code(i.Reference)
		if i.Platform != "" {
			name += " " + markdown.Plain(i.Platform)
		}
		fmt.Fprintf(out, "| %s | %s | %d | %d | %d | %d | %d |\n", name, result,
			i.Counts[Critical], i.Counts[High], i.Counts[Medium], i.Counts[Low], i.Counts[Informational]+i.Counts[Undefined])
	}
	var reasons []string
	for _, i := range shown {
		name := ""
		if len(v.Images) > 1 {
			name = markdown.Code(i.title()) + " "
		}
		if i.Reason != "" {
			reasons = append(reasons, fmt.Sprintf("- %s%s", name, markdown.Plain(cut(i.Reason, 500))))
		}
		for _, r := range i.Rules {
			if r.Failed {
				reasons = append(reasons, fmt.Sprintf("- %sFAILED: %s", name, markdown.Plain(r.Text())))
			}
		}
	}
	if more := len(v.Images) - len(shown); more > 0 {
		reasons = append(reasons, "- and "+english.Plural(more, "more image", ""))
	}
	if len(reasons) > 0 {
		fmt.Fprintf(out, "\n%s\n", strings.Join(reasons, "\n"))
	}
}

type markdownRow struct {
	platform  string
	judgement JudgedFinding
}

// details is a table that opens by a click. It ends before the comment gets too long.
func details(out *strings.Builder, title string, rows []markdownRow, several bool) {
	fmt.Fprintf(out, "\n<details><summary>%s</summary>\n\n", markdown.Plain(title))
	markdownTable(out, rows, several)
	out.WriteString("\n</details>\n")
}

func markdownTable(out *strings.Builder, rows []markdownRow, several bool) {
	platform, rule := "", ""
	if several {
		platform, rule = " Platform |", "---|"
	}
	fmt.Fprintf(out, "| Severity |%s Vulnerability | Package | Installed | Fixed in | CVSS | |\n|---|%s---|---|---|---|--:|---|\n", platform, rule)
	for n, row := range rows {
		j := row.judgement
		var line strings.Builder
		fmt.Fprintf(&line, "| %s |", markdown.Plain(string(j.Severity)))
		if several {
			fmt.Fprintf(&line, " %s |", markdown.Plain(row.platform))
		}
		notes := j.notes()
		if j.Decision == Ignored {
			notes = append(notes, "ignored: "+j.Because)
		}
		fmt.Fprintf(&line, " %s | %s | %s | %s | %s | %s |\n", link(j.ID, j.URI), markdown.Code(cut(j.names(), 80)), markdown.Code(cut(j.versions(), 80)),
			markdown.Code(cut(j.fixes(), 80)), j.showScore(), markdown.Plain(cut(strings.Join(notes, ", "), 160)))
		if out.Len()+line.Len() > maxMarkdown {
			fmt.Fprintf(out, "\n%s left out, as a comment is bounded; the other reports have them.\n", english.Plural(len(rows)-n, "finding is", "findings are"))
			return
		}
		out.WriteString(line.String())
	}
}

// link names a vulnerability and leads to what is known of it.
func link(id, uri string) string {
	if id == "" {
		id = "-"
	}
	target := webAddress(uri)
	if target == "" {
		return markdown.Code(id)
	}
	return fmt.Sprintf(`<a href="%s">%s</a>`, strings.ReplaceAll(html.EscapeString(target), "|", "%7C"), markdown.Plain(id))
}

// webAddress is uri if it leads to the web, else "".
func webAddress(uri string) string {
	u, err := url.Parse(strings.TrimSpace(uri))
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return ""
	}
	return u.String()
}
