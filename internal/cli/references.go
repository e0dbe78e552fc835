package cli

import (
	"github.com/ecrkit/ecrkit/transfer"
)

// parseReferences reads the arguments of a command.
func (app *App) parseReferences(args []string) ([]transfer.Reference, error) {
	references := make([]transfer.Reference, len(args))
	for i, arg := range args {
		var err error
		if references[i], err = app.parseReference(arg); err != nil {
			return nil, err
		}
	}
	return references, nil
}

// withLatest adds the tag that a registry reference has by convention.
func withLatest(r transfer.Reference) transfer.Reference {
	if r.IsRepository() && r.Name() == "" {
		r.Tag = "latest"
	}
	return r
}

// parseReference reads a reference; a mistake in it is a usage error.
func (app *App) parseReference(s string) (transfer.Reference, error) {
	config, err := app.settings()
	if err != nil {
		return transfer.Reference{}, err
	}
	r, err := transfer.ParseReference(s, config.Registries, transfer.DetectKind)
	if err != nil {
		return transfer.Reference{}, usageError{err}
	}
	return r, nil
}
