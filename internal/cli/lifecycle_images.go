package cli

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/ecrkit/ecrkit/lifecycle"
)

// inventorySource is where the images of one repository are told.
type inventorySource interface {
	Inventory(ctx context.Context) (lifecycle.Inventory, error)
}

// inventorySource gives what --images names.
func (app *App) inventorySource(names []string) (inventorySource, error) {
	return imageFiles{app, names}, nil
}

// imageFiles are files with the output of aws ecr describe-images and batch-get-image.
type imageFiles struct {
	app   *App
	names []string // - is stdin
}

func (f imageFiles) Inventory(context.Context) (lifecycle.Inventory, error) {
	var texts []io.Reader
	for _, name := range f.names {
		if name == "-" {
			texts = append(texts, f.app.Stdin)
			continue
		}
		file, err := os.Open(name)
		if err != nil {
			return lifecycle.Inventory{}, err
		}
		defer file.Close()
		texts = append(texts, file)
	}
	inventory, err := lifecycle.ReadImages(texts...)
	if err != nil && len(f.names) == 1 {
		err = fmt.Errorf("%s: %w", showFile(f.names[0]), err)
	}
	return inventory, err
}

// loadInventory reads the images that --images names.
func (app *App) loadInventory(ctx context.Context, names []string) (lifecycle.Inventory, error) {
	source, err := app.inventorySource(names)
	if err != nil {
		return lifecycle.Inventory{}, err
	}
	return source.Inventory(ctx)
}
