package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/internal/governance"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

// registryVariable names the registry of repositories that are given without one;
// `ecrkit local env` sets it.
const registryVariable = "ECRKIT_REGISTRY"

const repoHelp = `Create repositories in Amazon ECR, look at them and change their settings.

  ecrkit repo create HOST/team/app --immutable-tags
  ecrkit repo audit 'team/*'
  ecrkit repo set HOST/team/app --immutable-tags
  ecrkit repo scanning set --on-push '*'
  ecrkit repo export > repositories.yaml
  ecrkit repo apply repositories.yaml --dry-run

A NAME without HOST is one in the registry $ECRKIT_REGISTRY. Settings of a repository
are its tag mutability, encryption, resource tags, repository policy and lifecycle
policy (ecrkit lifecycle). Scanning, creation templates and account settings are of
the registry, an account in a region, as is managed signing (ecrkit signing).

See docs/repositories.md.`

func newRepoCommand(app *App) *cobra.Command {
	return newGroup("repo", "Create repositories and manage their settings", repoHelp,
		newRepoCreateCommand(app), newRepoDescribeCommand(app), newRepoLsCommand(app), newRepoSetCommand(app), newRepoRmCommand(app),
		newRepoPolicyCommand(app), newRepoTagCommand(app), newRepoUntagCommand(app),
		newRepoScanningCommand(app), newRepoTemplateCommand(app), newRepoAccountCommand(app),
		newRepoAuditCommand(app), newRepoApplyCommand(app), newRepoExportCommand(app),
	)
}

// settingChange is the JSON form of a setting that a command changes, for people.
type settingChange struct {
	Setting string `json:"setting"`
	From    string `json:"from"` // "" if there was nothing
	To      string `json:"to"`   // "" if there is nothing now
}

func (c settingChange) String() string {
	if isJSONObject(c.From) || isJSONObject(c.To) {
		return c.Setting + ":\n" + documentDiff(c.From, c.To)
	}
	switch {
	case c.From == "":
		return c.Setting + ": " + c.To
	case c.To == "":
		return c.Setting + ": " + c.From + " is removed"
	}
	return c.Setting + ": " + c.From + " -> " + c.To
}

// changedRepository is the JSON form of what becomes of a repository.
type changedRepository struct {
	Repository string          `json:"repository"` // HOST/NAME
	Changed    bool            `json:"changed"`    // false if it was so already
	Changes    []settingChange `json:"changes"`
}

// repositoryChanges is the JSON form of the result of a command that changes settings.
type repositoryChanges struct {
	DryRun       bool                `json:"dryRun"`
	Repositories []changedRepository `json:"repositories"`
}

// text has a line for each change.
func (c repositoryChanges) text() string {
	var text strings.Builder
	for _, r := range c.Repositories {
		if !r.Changed {
			text.WriteString(r.Repository + ": no changes\n")
		}
		for _, change := range r.Changes {
			text.WriteString(printableLines(r.Repository+": "+change.String()) + "\n")
		}
	}
	return text.String()
}

// openGoverned returns the registry of the repository that a user names.
func (app *App) openGoverned(ctx context.Context, name string) (*governance.Registry, ref.Reference, error) {
	reference, err := app.parseRepository(name)
	if err != nil {
		return nil, reference, err
	}
	r, err := app.governanceOf(ctx, reference.Registry)
	return r, reference, err
}

// parsePattern reads a pattern of repositories: HOST/PATTERN, HOST, or PATTERN in the
// registry of the environment. The pattern is "" if none is written, which means all.
func (app *App) parsePattern(text string) (auth.Registry, string, error) {
	config, err := app.settings()
	if err != nil {
		return auth.Registry{}, "", err
	}
	if strings.HasPrefix(text, "arn:") {
		_, err := app.parseReference(text) // says what to write
		return auth.Registry{}, "", err
	}
	if err := ref.CheckUser(text); err != nil {
		return auth.Registry{}, "", usageError{err}
	}
	host, pattern, _ := strings.Cut(text, "/")
	if _, err := config.Registries.Parse(host); err != nil {
		host, pattern = "", text
		if first, _, slash := strings.Cut(text, "/"); slash && strings.ContainsAny(first, ".:") {
			return auth.Registry{}, "", usagef("%s is not in a registry of Amazon ECR; `ecrkit ls %s/` lists the repositories of other registries", text, first)
		}
	}
	r, err := app.parseRegistry(host)
	return r, pattern, err
}

// parseRepository reads HOST/NAME, or NAME in the registry of the environment.
func (app *App) parseRepository(name string) (ref.Reference, error) {
	host, _, _ := strings.Cut(name, "/")
	config, err := app.settings()
	if err != nil {
		return ref.Reference{}, err
	}
	if strings.HasPrefix(name, "arn:") {
		return app.parseReference(name) // which says what to write
	}
	if err := ref.CheckUser(name); err != nil {
		return ref.Reference{}, usageError{err}
	}
	full, slash := name, strings.Contains(name, "/")
	if _, err := config.Registries.Parse(host); err != nil || !slash {
		registry, _ := app.Env(registryVariable)
		if slash && strings.ContainsAny(host, ".:") {
			return ref.Reference{}, usagef("%s is not in a registry of Amazon ECR, which this command is about; `ecrkit ls`, inspect, tag and rm work with other registries", name)
		}
		if registry == "" {
			return ref.Reference{}, usagef("%s names no registry of Amazon ECR; write HOST/NAME, or set %s", name, registryVariable)
		}
		full = registry + "/" + name
	}
	r, err := app.parseReference(full)
	if err != nil {
		return ref.Reference{}, err
	}
	if r.Kind == ref.KindECR && r.Name() != "" {
		return ref.Reference{}, usagef("%s is an image, and this command is about a repository; write %s", name, strings.TrimSuffix(r.Place(), "/"))
	}
	if r.Kind != ref.KindECR {
		return ref.Reference{}, usagef("%s is not the name of a repository of Amazon ECR; write HOST/NAME", name)
	}
	return r, nil
}
