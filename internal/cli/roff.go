package cli

import (
	"bytes"
	"strings"

	"github.com/spf13/pflag"
)

// roff is a man page that is being written. The generator of cobra makes Markdown first, for whose two parsers each process of
// ecrkit would pay at its start.
type roff struct{ bytes.Buffer }

func (p *roff) macro(words ...string) { p.WriteString("." + strings.Join(words, " ") + "\n") }

func (p *roff) header(title, date, source string) {
	p.macro("nh") // no hyphenation: words are to be found
	p.macro("TH", `"`+title+`"`, `"1"`, `"`+date+`"`, `"`+source+`"`, `"ecrkit"`)
}

func (p *roff) section(name string) { p.macro("SH", name) }

// line writes a line of text.
func (p *roff) line(text string) { p.WriteString(roffText(text) + "\n") }

func (p *roff) bold(text string) { p.WriteString(`\fB` + roffText(text) + `\fP` + "\n") }

// help writes help text: its paragraphs are filled, and what is indented by two spaces is set as it is.
func (p *roff) help(text string) {
	inside, blank, first := false, false, true
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		set, indented := strings.CutPrefix(line, "  ")
		switch {
		case line == "":
			blank = true
			continue
		case indented && inside && blank:
			p.WriteString("\n")
		case indented && !inside:
			p.macro("PP")
			p.macro("EX")
		case !indented && inside:
			p.macro("EE")
			p.macro("PP")
		case !indented && blank && !first:
			p.macro("PP")
		}
		p.line(set)
		inside, blank, first = indented, false, false
	}
	if inside {
		p.macro("EE")
	}
}

// options writes a section of flags, if any is shown.
func (p *roff) options(heading string, flags *pflag.FlagSet) {
	if !flags.HasAvailableFlags() {
		return
	}
	p.section(heading)
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Deprecated != "" || f.Hidden {
			return
		}
		p.macro("TP")
		name := `\fB--` + roffText(f.Name) + `\fP`
		if f.Shorthand != "" && f.ShorthandDeprecated == "" {
			name = `\fB-` + f.Shorthand + `\fP, ` + name
		}
		value := f.DefValue
		if f.Value.Type() == "string" {
			value = `"` + value + `"`
		}
		value = "=" + roffText(value)
		if f.NoOptDefVal != "" {
			value = "[" + value + "]"
		}
		p.WriteString(name + value + "\n")
		// What is in backquotes stands for the value.
		before, rest, found := strings.Cut(f.Usage, "`")
		argument, after, closed := strings.Cut(rest, "`")
		if !found || !closed {
			p.line(f.Usage)
			return
		}
		p.WriteString(roffText(before) + `\fB` + strings.ReplaceAll(argument, `\`, `\e`) + `\fP` + strings.ReplaceAll(after, `\`, `\e`) + "\n")
	})
}

// roffText is text in which no character is one of the language: no backslash, and no dot or apostrophe at the beginning.
func roffText(text string) string {
	text = strings.ReplaceAll(text, `\`, `\e`)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		return `\&` + text
	}
	return text
}
