package cli

import (
	"testing"

	"github.com/spf13/pflag"
)

func TestRoffHelp(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"one\ntwo\n\nthree":        "one\ntwo\n.PP\nthree\n",
		"a:\n\n  x  y\n\n  z\n\nb": "a:\n.PP\n.EX\nx  y\n\nz\n.EE\n.PP\nb\n",
		"a:\n  x\nb":               "a:\n.PP\n.EX\nx\n.EE\n.PP\nb\n",
		"  x":                      ".PP\n.EX\nx\n.EE\n",
		".SH x\n'y\n  .z\\n":       "\\&.SH x\n\\&'y\n.PP\n.EX\n\\&.z\\en\n.EE\n",
		"*a* _b_ <c> [d](e) `f`":   "*a* _b_ <c> [d](e) `f`\n",
	} {
		var page roff
		page.help(text)
		if got := page.String(); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestRoffOptions(t *testing.T) {
	t.Parallel()
	flags := pflag.NewFlagSet("x", pflag.ContinueOnError)
	flags.StringP("role", "r", `a\b`, "assume the role `ARN` of \\x")
	flags.Bool("yes", false, ".begins with a dot")
	flags.Bool("none", false, "x")
	if err := flags.MarkHidden("none"); err != nil {
		t.Fatal(err)
	}
	var page roff
	page.options("OPTIONS", flags)
	want := ".SH OPTIONS\n.TP\n\\fB-r\\fP, \\fB--role\\fP=\"a\\eb\"\nassume the role \\fBARN\\fP of \\ex\n" +
		".TP\n\\fB--yes\\fP[=false]\n\\&.begins with a dot\n"
	if got := page.String(); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	page.Reset()
	page.options("OPTIONS", pflag.NewFlagSet("none", pflag.ContinueOnError))
	if page.Len() != 0 {
		t.Errorf("of no flags: %q", page.String())
	}
}
