package scan

import (
	"fmt"
	"html"
	"io"
	"net/url"
	"strings"

	"github.com/dustin/go-humanize/english"
)

// A comment on GitHub has at most 65,536 characters.
const (
	maxMarkdown     = 60_000
	maxMarkdownRows = 25 // of findings that are shown without a click
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
		for _, warning := range v.Warnings {
			fmt.Fprintf(&out, "- ⚠️ %s\n", plain(warning))
		}
	}
	if len(others) > 0 {
		title := english.Plural(len(others), "finding", "")
		if v.Outcome != "" {
			title += " that " + english.PluralWord(len(others), "does", "do") + " not block"
		}
		details(&out, title, others, several)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// markdownImages is a line for each image, with its counts.
func (v Verdict) markdownImages(out *strings.Builder) {
	out.WriteString("\n| Image | Result | Critical | High | Medium | Low | Other |\n|---|---|--:|--:|--:|--:|--:|\n")
	for _, i := range v.Images {
		result := map[Outcome]string{Passed: "✅ passed", Failed: "❌ failed", NoResult: "⚠️ no result"}[i.Outcome]
		if result == "" {
			result = plain(string(i.Status))
		}
		name := code(i.Reference)
		if i.Platform != "" {
			name += " " + plain(i.Platform)
		}
		fmt.Fprintf(out, "| %s | %s | %d | %d | %d | %d | %d |\n", name, result,
			i.Counts[Critical], i.Counts[High], i.Counts[Medium], i.Counts[Low], i.Counts[Informational]+i.Counts[Undefined])
	}
	for _, i := range v.Images {
		if i.Reason != "" {
			fmt.Fprintf(out, "\n%s: %s\n", code(i.title()), plain(i.Reason))
		}
		for _, r := range i.Rules {
			if r.Broken {
				fmt.Fprintf(out, "\n%s breaks the rule «%s»: %d found\n", code(i.title()), plain(r.Rule), r.Count)
			}
		}
	}
}

type markdownRow struct {
	platform  string
	judgement Judgement
}

// details is a table that opens by a click. It ends before the comment gets too long.
func details(out *strings.Builder, title string, rows []markdownRow, several bool) {
	fmt.Fprintf(out, "\n<details><summary>%s</summary>\n\n", plain(title))
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
		fmt.Fprintf(&line, "| %s |", plain(string(j.Severity)))
		if several {
			fmt.Fprintf(&line, " %s |", plain(row.platform))
		}
		notes := j.notes()
		if j.Decision == Ignored {
			notes = append(notes, "ignored: "+j.Because)
		}
		fmt.Fprintf(&line, " %s | %s | %s | %s | %s | %s |\n", link(j.ID, j.URI), code(cut(j.names(), 80)), code(cut(j.versions(), 80)),
			code(cut(j.fixes(), 80)), j.showScore(), plain(cut(strings.Join(notes, ", "), 160)))
		if out.Len()+line.Len() > maxMarkdown {
			fmt.Fprintf(out, "\n%s left out, as a comment is bounded; the other reports have them.\n", english.Plural(len(rows)-n, "finding is", "findings are"))
			return
		}
		out.WriteString(line.String())
	}
}

// code shows a text of the scan as it is. It is made of HTML, and of character references
// for what Markdown or GitHub would take for something: an element that is code has no
// mentions either.
func code(s string) string {
	if s = plain(s); s == "" {
		return ""
	}
	return "<code>" + s + "</code>"
}

// plain writes each character that could mean something as a reference.
func plain(s string) string {
	s = oneLine(s)
	dots := strings.Contains(strings.ToLower(s), "www.")
	var out strings.Builder
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r > 127, strings.ContainsRune(" -,;()%", r), r == '.' && !dots:
			out.WriteRune(r)
		case r == '@':
			out.WriteString("&#64;\u2060") // a word joiner: no mention, and nothing to see
		default:
			fmt.Fprintf(&out, "&#%d;", r)
		}
	}
	return out.String()
}

// link names a vulnerability and leads to what is known of it.
func link(id, uri string) string {
	if id == "" {
		id = "-"
	}
	target := webAddress(uri)
	if target == "" {
		return code(id)
	}
	return fmt.Sprintf(`<a href="%s">%s</a>`, strings.ReplaceAll(html.EscapeString(target), "|", "%7C"), plain(id))
}

// webAddress is uri if it leads to the web, else "".
func webAddress(uri string) string {
	u, err := url.Parse(strings.TrimSpace(uri))
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return ""
	}
	return u.String()
}
