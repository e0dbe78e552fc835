package cli

import (
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/ecrkit/ecrkit/internal/version"
)

const manHelp = `Write a man page for each command into a directory.

  ecrkit man /usr/local/share/man/man1

The release archives have them, and install.sh installs them. SOURCE_DATE_EPOCH is
their date, if it is set.`

func newManCommand(app *App) *cobra.Command {
	return &cobra.Command{
		Use:    "man DIR",
		Short:  "Write the man pages",
		Long:   manHelp,
		Hidden: true,
		Args:   arguments(0, "DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			date := app.Now()
			if epoch, ok := app.Env("SOURCE_DATE_EPOCH"); ok {
				seconds, err := strconv.ParseInt(epoch, 10, 64)
				if err != nil {
					return usagef("SOURCE_DATE_EPOCH=%q is not a number of seconds", epoch)
				}
				date = time.Unix(seconds, 0)
			}
			date = date.UTC()
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return err
			}
			root := cmd.Root()
			forMan(root)
			return doc.GenManTree(root, &doc.GenManHeader{Section: "1", Date: &date, Source: "ecrkit " + version.String(), Manual: "ecrkit"}, args[0])
		},
	}
}

// forMan makes the help of cmd and of all commands below what the generator wants.
func forMan(cmd *cobra.Command) {
	cmd.DisableAutoGenTag = true
	cmd.Long = manText(cmd.Long)
	cmd.Example = strings.ReplaceAll("\n"+cmd.Example, "\n  ", "\n")[1:]
	for _, sub := range cmd.Commands() {
		forMan(sub)
	}
}

// markdown writes help text, in which what is indented is set as it is, so that
// Markdown shows it that way.
func manText(help string) string {
	escape := strings.NewReplacer(`\`, `\\`, "*", `\*`, "_", `\_`, "`", "\\`", "[", `\[`, "]", `\]`, "<", `\<`, ">", `\>`, "#", `\#`)
	var out strings.Builder
	indented := false
	for line := range strings.Lines(help) {
		text, inside := strings.CutPrefix(line, "  ")
		switch {
		case inside && !indented:
			out.WriteString("\n    " + text)
		case inside:
			out.WriteString("    " + text)
		default:
			out.WriteString(escape.Replace(line))
		}
		indented = inside
	}
	return out.String()
}
