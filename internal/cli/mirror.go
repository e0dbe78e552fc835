package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/internal/startup"
	"github.com/ecrkit/ecrkit/mirror"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/ecr"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

const mirrorHelp = `Copy many images as one plan: tags of repositories, chosen by rules, to other registries.

  ecrkit mirror plan mirror.yaml               show what would be copied
  ecrkit mirror apply mirror.yaml              copy it
  ecrkit mirror export mirror.yaml --to usb/   write it into a directory, for an air gap
  ecrkit mirror import usb/ HOST/PREFIX        copy it from there

The configuration is YAML or JSON (see docs/mirror.md):

  destinations: [HOST/prefix]
  images:
    - from: HOST/src/web                 # all tags, to prefix/src/web
    - from: HOST/src/db
      name: team/db                      # to prefix/team/db
      tags: {match: "v*", latest: 5, by: semver}`

func newMirrorCommand(app *App) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "mirror",
		Short: "Copy many images as one plan",
		Long:  mirrorHelp,
		Args:  arguments(0),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newMirrorPlanCommand(app), newMirrorSchemaCommand(app), newMirrorApplyCommand(app), newMirrorReportCommand(app), newMirrorJobCommand(app), newMirrorExportCommand(app),
		newMirrorVerifyCommand(app), newMirrorImportCommand(app), newMirrorDeltaCommand(app), newMirrorInventoryCommand(app), newMirrorListCommand(app))
	for _, command := range cmd.Commands() {
		run := command.RunE
		command.RunE = func(cmd *cobra.Command, args []string) error {
			cmd.SetContext(app.patient(cmd))
			return run(cmd, args)
		}
	}
	return cmd
}

// mirrorOpener opens the repositories of a mirror, each once, and sets them up.
type mirrorOpener struct {
	*ref.Repositories
	app *App
}

// mirrorOpener opens repositories that are created with these settings, if any. upload is how layers are uploaded to
// Amazon ECR, unless the configuration says; "" is ecr.UploadAuto.
func (app *App) mirrorOpener(create *ecr.Settings, upload ecr.UploadMode) (*mirrorOpener, error) {
	opener, err := app.opener()
	if err != nil {
		return nil, err
	}
	settings, err := app.settings()
	if err != nil {
		return nil, err
	}
	var templates createdByTemplate
	return &mirrorOpener{app: app, Repositories: &ref.Repositories{
		Opener: opener,
		Parse: func(ctx context.Context, repository string) (ref.Reference, error) {
			r, err := app.parseMirrored(repository)
			if err == nil {
				err = app.checkRegistry(ctx, r)
			}
			return r, err
		},
		Configure: func(r *ecr.Repository) {
			r.Create, r.Templates = create, templates.of(r)
			r.Upload = cmp.Or(ecr.UploadMode(settings.Transfer.Upload), upload)
		},
	}}, nil
}

// createdByTemplate has the templates of each registry that is opened.
type createdByTemplate struct {
	mu sync.Mutex
	by map[string]*ecr.Templates
}

// of returns those of the registry of a repository.
func (t *createdByTemplate) of(r *ecr.Repository) *ecr.Templates {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.by == nil {
		t.by = map[string]*ecr.Templates{}
	}
	if t.by[r.Registry()] == nil {
		t.by[r.Registry()] = &ecr.Templates{}
	}
	return t.by[r.Registry()]
}

// manifestDir is where mirrors keep manifests that they have read, "" without a directory for caches.
func (app *App) manifestDir() string {
	if cache := startup.Environment(app.Env).DefaultCache(); cache != "" {
		return filepath.Join(cache, "manifests")
	}
	return ""
}

// aboutFlag is an error about a flag, which is no part of the configuration.
func aboutFlag(flag string, err error) error {
	return fmt.Errorf("%s: %s", flag, strings.TrimPrefix(err.Error(), mirror.ErrConfig.Error()+": "))
}

// parseMirrored reads HOST/REPOSITORY in any registry.
func (app *App) parseMirrored(s string) (ref.Reference, error) {
	r, err := app.parseReference(s)
	if err == nil && (!r.IsRepository() || r.Name() != "") {
		err = usagef("%s does not name a repository; write HOST/REPOSITORY", s)
	}
	return r, err
}

// readMirrorConfig reads the configuration at path, - is stdin.
func (app *App) readMirrorConfig(path string) (mirror.Config, error) {
	return app.readMirrorFile(path, mirror.ReadConfig)
}

// readMirrorSources is readMirrorConfig without a need for destinations.
func (app *App) readMirrorSources(path string) (mirror.Config, error) {
	return app.readMirrorFile(path, mirror.ReadSources)
}

// readConfig is mirror.ReadConfig or mirror.ReadSources.
type readConfig func(r io.Reader, lookup func(string) (string, bool)) (mirror.Config, error)

func (app *App) readMirrorFile(path string, read readConfig) (mirror.Config, error) {
	in, closeFile, err := app.openInput(path)
	if err != nil {
		return mirror.Config{}, err
	}
	defer closeFile()
	return app.decodeMirrorConfig(path, in, read)
}

// openInput opens a file that the command line names; - is stdin, and env://NAME the value of a variable.
func (app *App) openInput(path string) (in io.Reader, closeFile func(), err error) {
	if path == "-" {
		return app.stdin(), func() {}, nil
	}
	if name, ok := strings.CutPrefix(path, environmentKey); ok {
		value, set := app.Env(name)
		if !set {
			return nil, nil, usagef("%s: the environment variable is not set", path)
		}
		return strings.NewReader(value), func() {}, nil
	}
	f, err := app.openText(path)
	if err != nil {
		return nil, nil, usageError{err}
	}
	return f, func() { _ = f.Close() }, nil // opened for reading
}

// maxMirrorText bounds a configuration or a saved plan, in bytes.
const maxMirrorText = 256 << 20

// readMirrorText reads the text of a configuration or a saved plan.
func (app *App) readMirrorText(path string) ([]byte, error) {
	in, closeFile, err := app.openInput(path)
	if err != nil {
		return nil, err
	}
	defer closeFile()
	data, err := content.ReadLimited(in, maxMirrorText)
	if errors.Is(err, content.ErrIntegrity) {
		return nil, usagef("%s: it has more than %d bytes", showFile(path), maxMirrorText)
	}
	return data, err
}

func (app *App) decodeMirrorConfig(path string, in io.Reader, read readConfig) (mirror.Config, error) {
	config, err := read(in, app.Env)
	if errors.Is(err, mirror.ErrConfig) {
		err = usagef("%s: %w", showFile(path), err)
	}
	return config, err
}
