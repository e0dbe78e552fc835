package cli

import (
	"github.com/ecrkit/ecrkit/transfer/ref"
)

// parseReferences reads the arguments of a command.
func (app *App) parseReferences(args []string) ([]ref.Reference, error) {
	references := make([]ref.Reference, len(args))
	for i, arg := range args {
		var err error
		if references[i], err = app.parseReference(arg); err != nil {
			return nil, err
		}
	}
	return references, nil
}

// withLatest adds the tag that a registry reference has by convention.
func withLatest(r ref.Reference) ref.Reference {
	if r.IsRepository() && r.Name() == "" {
		r.Tag = "latest"
	}
	return r
}

// parseReference reads a reference; a mistake in it is a usage error.
func (app *App) parseReference(s string) (ref.Reference, error) {
	config, err := app.settings()
	if err != nil {
		return ref.Reference{}, err
	}
	r, err := ref.Parse(s, config.Registries, ref.Detect)
	if err != nil {
		return ref.Reference{}, usageError{err}
	}
	return r, nil
}
