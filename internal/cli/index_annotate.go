package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/index"
)

const indexAnnotateHelp = `Set and remove annotations of an index, or of one of its entries.

  ecrkit index annotate HOST/app:1.2 org.opencontainers.image.version=1.2
  ecrkit index annotate HOST/app:1.2 --manifest linux/arm64 tier=gold --remove old
  ecrkit index annotate HOST/app:1.2 --manifest sha256:0123... --set-platform linux/arm/v6

--manifest names the entry by its platform or digest; --set-platform corrects the
platform that the index has for it. A Docker manifest list has no annotations, only
platforms. The tag of REF moves to the new index, unless --to names another tag
or reference.`

// annotateFlags describe what annotate does.
type annotateFlags struct {
	manifest, platform string
	remove             []string
}

func newIndexAnnotateCommand(app *App) *cobra.Command {
	var edit indexEditFlags
	var flags annotateFlags
	cmd := &cobra.Command{
		Use:   "annotate REF [KEY=VALUE...]",
		Short: "Annotate an index or one of its entries",
		Long:  indexAnnotateHelp,
		Args:  atLeast("REF"),
		RunE: func(cmd *cobra.Command, args []string) error {
			change, err := flags.change(args[1:])
			if err != nil {
				return err
			}
			return app.editIndex(cmd.Context(), args[0], edit, func(idx *index.Index) error {
				return change(cmd.Context(), idx)
			})
		},
	}
	cmd.Flags().StringVar(&flags.manifest, "manifest", "", "`PLATFORM` or digest of the entry to edit, instead of the index")
	cmd.Flags().StringVar(&flags.platform, "set-platform", "", "`PLATFORM` that the entry is for")
	cmd.Flags().StringArrayVar(&flags.remove, "remove", nil, "remove the annotation `KEY`; may be repeated")
	edit.register(cmd)
	return cmd
}

// change reads the command line; the function that it returns does it.
func (f annotateFlags) change(args []string) (func(ctx context.Context, idx *index.Index) error, error) {
	set, err := keyValues(args)
	if err != nil {
		return nil, err
	}
	annotations := len(set)+len(f.remove) > 0
	if !annotations && f.platform == "" {
		return nil, usagef("nothing to change; pass KEY=VALUE, --remove or --set-platform")
	}
	for _, key := range f.remove {
		if _, both := set[key]; both {
			return nil, usagef("the annotation %q is both set and removed", key)
		}
	}
	if f.manifest == "" {
		if f.platform != "" {
			return nil, usagef("--set-platform is for an entry; name it with --manifest")
		}
		return func(_ context.Context, idx *index.Index) error { return idx.Annotate(set, f.remove) }, nil
	}
	name, err := index.ParseEntryName(f.manifest)
	if err != nil {
		return nil, usageError{err}
	}
	var platform content.Platform
	if f.platform != "" {
		if platform, err = content.ParsePlatform(f.platform); err != nil {
			return nil, usageError{err}
		}
		if platform.Variant == content.AnyVariant {
			return nil, usagef("--set-platform %s: an entry is for one variant", f.platform)
		}
	}
	return func(ctx context.Context, idx *index.Index) error {
		if annotations {
			if err := idx.AnnotateEntry(ctx, name, set, f.remove); err != nil {
				return err
			}
		}
		if f.platform != "" {
			return idx.SetPlatform(ctx, name, platform)
		}
		return nil
	}, nil
}
