package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/ecrkit/ecrkit/internal/files"
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
			return writeManPages(cmd.Root(), args[0], date)
		},
	}
}

// writeManPages writes the pages of cmd and of all commands below into dir.
func writeManPages(cmd *cobra.Command, dir string, date time.Time) error {
	for _, sub := range cmd.Commands() {
		if !sub.IsAvailableCommand() || sub.IsAdditionalHelpTopicCommand() {
			continue
		}
		if err := writeManPages(sub, dir, date); err != nil {
			return err
		}
	}
	cmd.DisableAutoGenTag = true
	cmd.Long = manText(cmd.Long) + manSections(cmd)
	cmd.Example = strings.ReplaceAll("\n"+cmd.Example, "\n  ", "\n")[1:]
	var page bytes.Buffer
	header := doc.GenManHeader{Section: "1", Date: &date, Source: "ecrkit " + version.String(), Manual: "ecrkit"}
	if err := doc.GenMan(cmd, &header, &page); err != nil {
		return fmt.Errorf("man page of %s: %w", cmd.CommandPath(), err)
	}
	name := strings.ReplaceAll(cmd.CommandPath(), " ", "-") + ".1"
	return files.WriteFile(filepath.Join(dir, name), []byte(inManOrder(page.String())), 0o666)
}

const manFiles = `  ~/.config/ecrkit/config.yaml   configuration
  ~/.cache/ecrkit                cached tokens, and manifests that mirrors have read
  ~/.local/state/ecrkit          what push and pull resume
  ~/.docker/config.json          credential helpers, and logins of other registries
  ~/.aws/config, ~/.aws/credentials
                                 profiles of AWS

ECRKIT_CONFIG, ECRKIT_CACHE_DIR and ECRKIT_STATE_DIR name other places for the first three.`

// manSections are the sections that the generator does not know, the same in each page; ecrkit(1) has all variables.
func manSections(cmd *cobra.Command) string {
	codes, _, _ := strings.Cut(exitCodesHelp, "\n\nWith --output json")
	variables := "ecrkit(1) lists the environment variables.\n"
	if !cmd.HasParent() {
		variables = manText(environmentHelp)
	}
	return "\n\n# ENVIRONMENT\n" + variables + "\n\n# FILES\n" + manText(manFiles) + "\n\n# EXIT STATUS\n" + manText(codes) + "\n"
}

// inManOrder moves the sections of manSections, which the generator writes as part of the description, behind the options.
func inManOrder(page string) string {
	before, rest, _ := strings.Cut(page, ".SH ENVIRONMENT\n")
	sections, options, found := strings.Cut(rest, ".SH OPTIONS\n")
	if !found {
		return page
	}
	end := strings.Index(options, ".SH EXAMPLE\n")
	if end < 0 {
		end = strings.Index(options, ".SH SEE ALSO\n")
	}
	if end < 0 {
		end = len(options)
	}
	return before + ".SH OPTIONS\n" + options[:end] + ".SH ENVIRONMENT\n" + sections + options[end:]
}

// manText writes help text, in which what is indented is set as it is, so that
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
