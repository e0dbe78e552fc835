package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/internal/nearest"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/ecr"
)

const (
	// adviceTime bounds the one request that advice may need.
	adviceTime = 2 * time.Second
	// adviceEntries is how many names are read for advice: a page of a list.
	adviceEntries = 1000
	// adviceNames is how many names a message shows.
	adviceNames = 5
)

// existing returns what exists in the place of a missing name: the names like it, or
// all if they are few, or the command that lists them.
func existing(missing string, names []string, one, several, command string) string {
	near := nearest.Names(missing, names)
	switch {
	case len(names) == 0:
		return "there are no " + several
	case len(near) > 0:
		return fmt.Sprintf("did you mean %s?", or(near))
	case len(names) == 1:
		return fmt.Sprintf("the only %s is %s", one, names[0])
	case len(names) <= adviceNames:
		return fmt.Sprintf("existing %s: %s", several, strings.Join(names, ", "))
	}
	return fmt.Sprintf("`%s` lists the existing %s", command, several)
}

// or joins names for a question.
func or(names []string) string {
	if len(names) == 1 {
		return names[0]
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// missingRepository is the advice about a repository that does not exist: which ones do, and
// where the command writes to it, to create it.
func (app *App) missingRepository(ctx context.Context, cmd *cobra.Command, e *ecr.RepositoryNotFoundError) string {
	place := e.Registry.Host + "/" + e.Repository
	ctx, cancel := context.WithTimeout(ctx, adviceTime)
	defer cancel()
	names, err := app.firstRepositories(ctx, e)
	if app.written[place] {
		create := fmt.Sprintf("create it with `ecrkit repo create %s`", place)
		if cmd.Flags().Lookup("create-repository") != nil {
			create += fmt.Sprintf(", or %s with --create-repository", cmd.Name())
		}
		if near := nearest.Names(e.Repository, names); len(near) > 0 {
			return fmt.Sprintf("did you mean %s? Otherwise %s", or(near), create)
		}
		return create
	}
	if err != nil {
		return "" // the first error is the one to show
	}
	return existing(e.Repository, names, "repository", "repositories", "ecrkit ls "+e.Registry.Host)
}

// missingImage is the advice about a tag or digest that does not exist: which tags do.
func (app *App) missingImage(ctx context.Context, e *content.ImageNotFoundError) string {
	r, err := app.parseReference(e.Place)
	if err != nil || !r.IsRepository() {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, adviceTime)
	defer cancel()
	source, closeSource, err := app.openSource(ctx, r)
	if err != nil {
		return ""
	}
	defer closeSource()
	lister, ok := source.(interface {
		FirstTags(ctx context.Context) ([]string, error)
	})
	if !ok {
		return ""
	}
	tags, err := lister.FirstTags(ctx)
	if err != nil {
		return ""
	}
	tags = onlyImageTags(tags)
	return existing(e.Image, tags, "tag", "tags", "ecrkit ls "+e.Place)
}

// firstRepositories returns the names that one request lists, sorted by the registry.
func (app *App) firstRepositories(ctx context.Context, e *ecr.RepositoryNotFoundError) ([]string, error) {
	cfg, err := app.awsConfig(ctx, e.Registry)
	if err != nil {
		return nil, err
	}
	var names []string
	for repository, err := range ecr.List(ctx, cfg, e.Registry) {
		if err != nil {
			return nil, err
		}
		if names = append(names, repository.Name); len(names) == adviceEntries {
			break
		}
	}
	return names, nil
}

// onlyImageTags drops the tags by which signatures and referrers are kept.
func onlyImageTags(tags []string) []string {
	var images []string
	for _, tag := range tags {
		if _, _, ok := content.ParseDigestTag(tag); !ok {
			images = append(images, tag)
		}
	}
	return images
}
