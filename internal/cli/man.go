package cli

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

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
		if !hasManPage(sub) {
			continue
		}
		if err := writeManPages(sub, dir, date); err != nil {
			return err
		}
	}
	return files.WriteFile(filepath.Join(dir, manName(cmd)+".1"), manPage(cmd, date), 0o666)
}

func hasManPage(cmd *cobra.Command) bool {
	return cmd.IsAvailableCommand() && !cmd.IsAdditionalHelpTopicCommand()
}

func manName(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

const manFiles = `  ~/.config/ecrkit/config.yaml   configuration
  ~/.cache/ecrkit                cached tokens, and manifests that mirrors have read
  ~/.local/state/ecrkit          what push and pull resume
  ~/.docker/config.json          credential helpers, and logins of other registries
  ~/.aws/config, ~/.aws/credentials
                                 profiles of AWS

ECRKIT_CONFIG, ECRKIT_CACHE_DIR and ECRKIT_STATE_DIR name other places for the first three.`

// manPage returns the page of cmd, in the language of roff: man(7).
func manPage(cmd *cobra.Command, date time.Time) []byte {
	cmd.InitDefaultHelpFlag()
	var page roff
	page.header(strings.ToUpper(manName(cmd)), date.Format("Jan 2006"), "ecrkit "+version.String())
	page.section("NAME")
	page.line(manName(cmd) + ` - ` + cmd.Short)
	page.section("SYNOPSIS")
	page.bold(cmd.UseLine())
	page.section("DESCRIPTION")
	page.help(cmd.Long)
	page.options("OPTIONS", cmd.NonInheritedFlags())
	page.options("OPTIONS INHERITED FROM PARENT COMMANDS", cmd.InheritedFlags())
	page.section("ENVIRONMENT")
	if cmd.HasParent() {
		page.help("ecrkit(1) lists the environment variables.")
	} else {
		page.help(environmentHelp)
	}
	page.section("FILES")
	page.help(manFiles)
	page.section("EXIT STATUS")
	codes, _, _ := strings.Cut(exitCodesHelp, "\n\nWith --output json")
	page.help(codes)
	if cmd.Example != "" {
		page.section("EXAMPLE")
		page.help(cmd.Example)
	}
	var related []string
	if cmd.HasParent() {
		related = append(related, manName(cmd.Parent())+"(1)")
	}
	for _, sub := range cmd.Commands() {
		if hasManPage(sub) {
			related = append(related, manName(sub)+"(1)")
		}
	}
	page.section("SEE ALSO")
	page.line(strings.Join(related, ", "))
	return page.Bytes()
}
