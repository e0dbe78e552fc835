package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/internal/governance"
	"github.com/ecrkit/ecrkit/transfer/ecr"
)

const repoDescribeHelp = `Show all settings of repositories of Amazon ECR.

  ecrkit repo describe HOST/team/app
  ecrkit repo describe team/app team/db --output json

In addition to its own settings these are its resource tags, its repository
policy, its lifecycle policy, and how its images are scanned: that follows from the
registry's scanning configuration, which only the registry's own account may read.

Prints a block for each, or with --output json one object with "repositories": name,
host, arn, createdAt, tagMutability, mutabilityExclusions, scanOnPush (the
repository's own setting, which is deprecated), encryption, kmsKey, keyManager (AWS
or CUSTOMER, if AWS KMS reports it), resourceTags, scanning (type, frequency, onPush,
filters; null if it is not known), policy and lifecyclePolicy (null if there is none).
Needs ecr:DescribeRepositories, ListTagsForResource, GetRepositoryPolicy,
GetLifecyclePolicy, GetRegistryScanningConfiguration and
BatchGetRepositoryScanningConfiguration; kms:DescribeKey is needed to find out who owns a key.`

func newRepoDescribeCommand(app *App) *cobra.Command {
	return &cobra.Command{
		Use:   "describe NAME...",
		Short: "Show all settings of repositories",
		Long:  repoDescribeHelp,
		Args:  atLeast("NAME"),
		RunE:  func(cmd *cobra.Command, args []string) error { return app.describeRepositories(cmd.Context(), args) },
	}
}

func (app *App) describeRepositories(ctx context.Context, names []string) error {
	described := []governance.Description{}
	var failures []error
	for _, name := range names {
		r, reference, err := app.openGoverned(ctx, name)
		if err != nil {
			return err
		}
		repository, err := r.Repository(ctx, reference.Repository)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		descriptions, errs := r.Describe(ctx, []ecr.RepositoryDescription{repository})
		described = append(described, descriptions...)
		failures = append(failures, errs...)
	}
	if len(described) > 0 {
		var text strings.Builder
		for i, d := range described {
			if i > 0 {
				text.WriteString("\n")
			}
			app.describe(&text, d)
		}
		result := struct {
			Repositories []governance.Description `json:"repositories"`
		}{described}
		if err := app.PrintResult(result, text.String()); err != nil {
			return err
		}
	}
	return partly(len(described), failures)
}

// describe writes a block of text for people.
func (app *App) describe(text *strings.Builder, d governance.Description) {
	fmt.Fprintf(text, "%s/%s\n", d.Host, d.Name)
	field := func(name, value string) { fmt.Fprintf(text, "  %-17s %s\n", name+":", printable(value)) }
	field("Created", app.age(&d.CreatedAt))
	field("Tag mutability", governance.MutabilityOf(d.RepositoryDescription).String())
	field("Scanning", showScanning(d.Scanning))
	field("Encryption", showEncryption(d))
	field("Resource tags", showResourceTags(d.ResourceTags))
	field("Policy", showDocument(d.Policy))
	field("Lifecycle policy", showDocument(d.LifecyclePolicy))
}

func showScanning(s *governance.Scanning) string {
	if s == nil {
		return "not known: only the registry's own account may read it"
	}
	text := strings.ToLower(s.Type + ", " + strings.ReplaceAll(s.Frequency, "_", " "))
	if s.OnPush && s.Frequency == governance.ScanManually {
		text += ", on push" // the repository's own setting
	}
	if len(s.Filters) > 0 {
		text += " by " + strings.Join(s.Filters, ", ")
	}
	return text
}

func showEncryption(d governance.Description) string {
	switch {
	case d.KMSKey == "":
		return d.Encryption
	case d.KeyManager == governance.KeyOfAWS:
		return d.Encryption + " " + d.KMSKey + " (managed by AWS)"
	}
	return d.Encryption + " " + d.KMSKey
}

func showResourceTags(tags map[string]string) string {
	if len(tags) == 0 {
		return "-"
	}
	var all []string
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		all = append(all, key+"="+tags[key])
	}
	return strings.Join(all, ", ")
}

// showDocument is a policy on one line.
func showDocument(document json.RawMessage) string {
	if len(document) == 0 {
		return "-"
	}
	return string(document)
}
