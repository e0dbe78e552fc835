package cli

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"strings"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/mirror"
	"github.com/ecrkit/ecrkit/mirror/inventory"
	"github.com/ecrkit/ecrkit/mirror/media"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

const mirrorInventoryHelp = `List the blobs that a destination has, so that the next export can leave them out.

  ecrkit mirror inventory HOST/PREFIX > have.json
  ecrkit mirror export mirror.yaml --to usb/ --have have.json

It is made where the images are imported, and carried back. It has the digests of blobs and
manifests by repository, without tags and names of images. Every repository under HOST/PREFIX is
read: one request for each 100 images of Amazon ECR.

Prints the inventory as JSON.`

func newMirrorInventoryCommand(app *App) *cobra.Command {
	return &cobra.Command{
		Use:   "inventory HOST[/PREFIX]",
		Short: "List the blobs that a destination has",
		Long:  mirrorInventoryHelp,
		Args:  arguments(0, "HOST[/PREFIX]"),
		RunE:  func(cmd *cobra.Command, args []string) error { return app.takeInventory(cmd.Context(), args[0]) },
	}
}

func (app *App) takeInventory(ctx context.Context, destination string) error {
	destination = strings.TrimSuffix(destination, "/")
	if err := app.checkDestination(destination); err != nil {
		return err
	}
	names, err := app.repositoriesUnder(ctx, destination)
	if err != nil {
		return err
	}
	have := inventory.New()
	if len(names) > 0 {
		var config mirror.Config
		for _, name := range names {
			config.Images = append(config.Images, mirror.ImageRules{From: destination + "/" + name, Name: name})
		}
		opener, err := app.mirrorOpener(nil, "")
		if err != nil {
			return err
		}
		if have, err = media.TakeInventory(ctx, config, opener, mirror.Options{Now: app.Now}); err != nil {
			return err
		}
	}
	var text bytes.Buffer
	if err := have.Write(&text); err != nil {
		return err
	}
	if len(names) == 0 {
		app.Messagef("warning: there is no repository below %s", destination)
	}
	app.Messagef("the inventory has %s", english.Plural(len(names), "repository", "repositories"))
	_, err = app.Stdout.Write(text.Bytes())
	return err
}

// checkDestination refuses what is not HOST or HOST/PREFIX.
func (app *App) checkDestination(destination string) error {
	if err := ref.CheckUser(destination); err != nil {
		return usageError{err}
	}
	if err := mirror.CheckDestination(destination); err != nil {
		return usageError{err}
	}
	host, _, _ := strings.Cut(destination, "/")
	config, err := app.settings()
	if err != nil {
		return err
	}
	if _, err := config.Registries.Parse(host); err == nil {
		return nil
	}
	if registry, _ := app.Env(registryVariable); host != "localhost" && !strings.ContainsAny(host, ".:") {
		return usagef("%s names no host; write HOST or HOST/PREFIX, such as %s/%s", destination, cmp.Or(registry, "HOST"), destination)
	}
	return nil
}

// repositoriesUnder returns the names of the repositories of HOST[/PREFIX], without the prefix.
func (app *App) repositoriesUnder(ctx context.Context, destination string) (names []string, err error) {
	config, err := app.settings()
	if err != nil {
		return nil, err
	}
	if err := ref.CheckUser(destination); err != nil {
		return nil, usageError{err}
	}
	host, prefix, _ := strings.Cut(destination, "/")
	if prefix != "" {
		prefix += "/"
	}
	var all []string
	registry, err := config.Registries.Parse(host)
	switch {
	case err == nil && !registry.Public:
		governed, err := app.governanceOf(ctx, registry)
		if err != nil {
			return nil, err
		}
		for repository, err := range governed.Repositories(ctx, prefix+"*") {
			if err != nil {
				return nil, err
			}
			all = append(all, repository.Name)
		}
	case err == nil:
		return nil, usagef("%s: the repositories of ECR Public cannot be listed", host)
	case !errors.Is(err, auth.ErrNotECR):
		return nil, usageError{err}
	default:
		other, err := app.openRegistry(ctx, ref.Reference{Kind: ref.KindRegistry, Host: host})
		if err != nil {
			return nil, usageError{err}
		}
		if all, err = other.Repositories(ctx); err != nil {
			return nil, err
		}
	}
	for _, name := range all {
		if name, ok := strings.CutPrefix(name, prefix); ok && name != "" {
			names = append(names, name)
		}
	}
	return names, nil
}

// readInventories reads the files of --have.
func (app *App) readInventories(paths []string) (inventories []inventory.Inventory, err error) {
	for _, path := range paths {
		in, closeFile, err := app.openInput(path)
		if err != nil {
			return nil, err
		}
		have, err := inventory.Read(in)
		closeFile()
		if err != nil {
			return nil, usagef("--have %s: %w", path, err)
		}
		inventories = append(inventories, have)
	}
	return inventories, nil
}
