package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dustin/go-humanize/english"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/mirror"
	"github.com/ecrkit/ecrkit/mirror/inventory"
	"github.com/ecrkit/ecrkit/mirror/media"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/ecr"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

const mirrorImportHelp = `Copy the images of sets, which ecrkit mirror export wrote, to a registry.

  ecrkit mirror import usb/ HOST/PREFIX
  ecrkit mirror import january/ week1/ week2/ HOST/PREFIX
  ecrkit mirror import images.tar HOST/PREFIX
  ecrkit mirror export mirror.yaml --to - | ssh gate ecrkit mirror import - HOST/PREFIX
  ecrkit mirror import usb/ HOST --dry-run
  ecrkit mirror import usb/ HOST/PREFIX --existing error
  ecrkit mirror import usb/ HOST/PREFIX --receipt have.json

The image HOST1/web:1 of the set becomes HOST/PREFIX/web:1. Nothing is written before the set is
found complete: all parts, in their sizes, and at the destination the blobs that the set was made
without (--have, --delta); if some are missing, the exit code is 5. Each byte is checked against its
digest on the way; to check the whole set first, run ecrkit mirror verify. The set is only read, so
it can be on a medium that cannot be written. Layers that the set has as deltas are made again from
those at the destination, in temporary files in TMPDIR, and compared with their digests.

Several sets, such as a full one and those that build on it, are imported in the order that they
need, whatever their order in the command. If one of them builds on a set that is not among them,
and the destination does not have what that carried, its ID is named, and nothing is written. A tag
that several sets have is set once, to the image of the last one. If a set cannot be imported, those
after it are not.

- is a set on stdin, which is read once. Its manifests, deltas and small blobs are kept in a
temporary file in TMPDIR; other blobs go to the registry as they come. If the stream ends early, no
tag was written. Run again, it does not upload blobs that have arrived.

With --key, the set must be signed by that key (ecrkit mirror export --sign). Otherwise nothing else
of it is read: exit code 4.

Repositories of Amazon ECR that do not exist are created, with the settings that flags give. A tag
that names another image is moved, unless --existing is skip, which leaves it, or error, which
refuses (exit code 5). Run again, it copies only what is missing.

--receipt writes which blobs the destination has afterwards, and which set carried them. Carried
back, it is an inventory for the next ecrkit mirror export --have. If that set arrives and one
before it does not, the import names the one that is missing. There is no receipt if an image fails.

Prints for each set what ecrkit mirror apply prints.`

// mirrorImportFlags are the flags of `ecrkit mirror import`.
type mirrorImportFlags struct {
	mirrorApplyFlags
	existing string
	dryRun   bool
	keys     []string
	receipt  string
}

func newMirrorImportCommand(app *App) *cobra.Command {
	f := mirrorImportFlags{mirrorApplyFlags: mirrorApplyFlags{junit: new(junitFile)}}
	cmd := &cobra.Command{
		Use:   "import DIR|FILE|-... HOST[/PREFIX]",
		Short: "Copy the images of sets to a registry",
		Long:  mirrorImportHelp,
		Args:  atLeast("DIR|FILE|-", "HOST[/PREFIX]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			last := len(args) - 1
			return app.importMirror(cmd.Context(), args[:last], args[last], f)
		},
	}
	cmd.Flags().StringVar(&f.existing, "existing", "", "`what` becomes of a tag that names another image: overwrite, skip, retag or error (default overwrite)")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "show what would be copied, and write nothing")
	cmd.Flags().StringVar(&f.receipt, "receipt", "", "write what the destination has afterwards to this `file`, for ecrkit mirror export --have")
	addSetKeyFlag(cmd, &f.keys)
	f.add(cmd, app)
	return cmd
}

func (app *App) importMirror(ctx context.Context, paths []string, destination string, f mirrorImportFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	if f.junit.path != "" && f.dryRun {
		return usagef("--junit is a report of what was imported; it excludes --dry-run")
	}
	if f.receipt != "" && (f.dryRun || f.existing == string(mirror.Skip)) {
		return usagef("--receipt lists what was imported; it excludes --dry-run, and --existing skip, which leaves images out")
	}
	if err := app.checkDestination(destination); err != nil {
		return err
	}
	if err := mirror.ExistingTags(f.existing).Validate(); err != nil {
		return usagef("--existing: %w", err)
	}
	options, err := app.setOptions(ctx, f.keys)
	if err != nil {
		return err
	}
	var sets []*media.Reader
	for _, path := range paths {
		if len(paths) > 1 && app.setKind(path) == setInStream {
			return usagef("- is read once; import it by itself")
		}
		set, err := app.openSet(ctx, path, options)
		if err != nil {
			return damagedSet(path, noSet(path, namesSetAndHost, err))
		}
		defer set.Close() // opened for reading
		sets = append(sets, set)
	}
	chain, err := media.NewChain(ctx, sets)
	if err != nil && len(sets) == 1 {
		err = damagedSet(paths[0], err)
	}
	if err != nil {
		return err
	}
	targets, err := app.mirrorOpener(&f.settings, "")
	if err != nil {
		return err
	}
	if err := chain.Check(ctx, func(ctx context.Context, name string) (content.Target, error) {
		return targets.Target(ctx, destination+"/"+name)
	}); err != nil {
		return err
	}
	var receipt *outputFile
	if f.receipt != "" {
		if receipt, err = app.createOutput(f.receipt); err != nil {
			return err
		}
		defer receipt.discard()
	}
	if err := f.junit.create(app); err != nil {
		return err
	}
	if err := f.junit.end(app.importSets(ctx, chain, destination, f)); err != nil || receipt == nil {
		return err
	}
	return writeReceipt(ctx, chain, receipt)
}

// importSets imports the sets of a chain, one after the other.
func (app *App) importSets(ctx context.Context, chain *media.Chain, destination string, f mirrorImportFlags) error {
	for i, set := range chain.Sets {
		if len(chain.Sets) > 1 {
			app.Messagef("set %d of %d: %s", i+1, len(chain.Sets), printable(set.Path()))
		}
		if err := app.importSet(ctx, set, chain.Replaced(set), destination, f); err != nil {
			err = blameSet(set, err)
			if left := len(chain.Sets) - i - 1; left > 0 && !f.dryRun {
				err = notedError{err, fmt.Sprintf("%s is not imported completely, and %s after it not at all; run the command again", printable(set.Path()), english.Plural(left, "set", ""))}
			}
			return err
		}
	}
	return nil
}

// blameSet adds to the error of an import what is wrong with the files of the set.
func blameSet(set *media.Reader, err error) error {
	if changed := set.Changed(); len(changed) > 0 {
		return notedError{err, fmt.Sprintf("%s changed or was cut off while it was read; when nothing writes to it, check it with ecrkit mirror verify %s, and run the command again",
			printable(strings.Join(changed, ", ")), showFile(set.Path()))}
	}
	if set.Path() == "stdin" {
		return err
	}
	return damagedSet(set.Path(), err)
}

// damagedSet adds to an error about the bytes of a set how to find out which file is damaged.
func damagedSet(path string, err error) error {
	var usage usageError
	if path == ref.StandardStream || !errors.Is(err, content.ErrIntegrity) || errors.As(err, &usage) || isRefusal(err) {
		return err
	}
	return notedError{err, fmt.Sprintf("ecrkit mirror verify %s names what is damaged", showFile(path))}
}

// importSet imports one set. Tags that are replaced by those of a later set are not set.
func (app *App) importSet(ctx context.Context, set *media.Reader, replaced map[string]bool, destination string, f mirrorImportFlags) error {
	config := setConfig(set, replaced, destination, f)
	if err := config.Validate(); err != nil {
		return usageError{err}
	}
	// Parts resume when the import was interrupted; what is sent whole begins again.
	repositories, err := app.mirrorOpener(&f.settings, ecr.UploadParts)
	if err != nil {
		return err
	}
	opener := &setOpener{repositories, set}
	set.UseDestination(app.tempDir(), func(ctx context.Context, name string) (content.Source, error) {
		return repositories.Source(ctx, destination+"/"+name)
	})
	f.before = func(ctx context.Context, plan mirror.Plan, opts transfer.Options) error {
		for name, digests := range set.Borrowed() {
			target, err := opener.Target(ctx, destination+"/"+name)
			if err != nil {
				return err
			}
			opts.Shared.Stored(target, digests)
		}
		return storeStream(ctx, set, plan, opener, opts)
	}
	if f.dryRun {
		return app.showPlan(ctx, config, opener, mirrorPlanFlags{})
	}
	return app.applyConfig(ctx, config, nil, opener, f.mirrorApplyFlags)
}

// setConfig is a mirror of all images of a set.
func setConfig(set *media.Reader, replaced map[string]bool, destination string, f mirrorImportFlags) mirror.Config {
	config := mirror.Config{Destinations: []string{destination}, Existing: mirror.ExistingTags(f.existing), FromSet: true}
	for _, r := range set.Repositories() {
		item := mirror.ImageRules{From: r.Repository, Name: r.Name}
		item.Tags.Match = mirror.Patterns{"*"}
		for _, image := range set.Images {
			if image.Repository != item.From || image.Subject != "" {
				continue
			}
			left := slices.DeleteFunc(slices.Clone(image.Tags), func(tag string) bool { return replaced[item.Name+":"+tag] })
			for _, tag := range image.Tags {
				if !slices.Contains(left, tag) {
					item.Tags.Exclude = append(item.Tags.Exclude, tag)
				}
			}
			if len(left) == 0 && !isAttached(image.Tags) {
				item.Digests = append(item.Digests, image.Digest)
			}
		}
		config.Images = append(config.Images, item)
	}
	return config
}

// isAttached reports whether an image is called by the digest of another one, with which it is copied.
func isAttached(tags []string) bool {
	return slices.ContainsFunc(tags, func(tag string) bool { _, _, ok := content.ParseDigestTag(tag); return ok })
}

// writeReceipt writes what the destination has after an import.
func writeReceipt(ctx context.Context, chain *media.Chain, out *outputFile) error {
	have := inventory.New()
	for _, set := range chain.Sets {
		receipt, err := set.Receipt(ctx)
		if err != nil {
			return err
		}
		have.Merge(receipt)
	}
	var text bytes.Buffer
	if err := have.Write(&text); err != nil {
		return err
	}
	if err := out.commit(text.Bytes()); err != nil {
		return fmt.Errorf("the images are imported, but the receipt is not written: %w", err)
	}
	return nil
}

// openSet opens a set; - is stdin.
func (app *App) openSet(ctx context.Context, path string, options media.ReadOptions) (*media.Reader, error) {
	kind, err := app.openSetKind(path)
	if err != nil {
		return nil, err
	}
	if kind == setInStream {
		return media.OpenStream(ctx, app.stdin(), "stdin", app.tempDir(), options)
	}
	return media.Open(path, options)
}

// storeStream has the blobs of a set on stdin go to the registry, where the plan needs them.
func storeStream(ctx context.Context, set *media.Reader, plan mirror.Plan, opener mirror.Opener, opts transfer.Options) error {
	var placements []media.Placement
	for _, r := range plan.InOrder() {
		for _, image := range r.Images {
			if !image.Copies() || r.Error != "" {
				continue
			}
			target, err := opener.Target(ctx, r.To)
			if err != nil {
				return err
			}
			placements = append(placements, media.Placement{Repository: r.From, Image: image.Digest, Target: target})
		}
	}
	return set.Store(ctx, placements, opts)
}

// Names of the arguments of the commands that read sets, for [noSet].
const (
	namesSets       = "name a set, which ecrkit mirror export writes"
	namesSetAndHost = namesSets + ", and then HOST or HOST/PREFIX"
)

// noSet makes a usage error of err if there is no set at path. names is what the arguments of
// the command name.
func noSet(path, names string, err error) error {
	if !errors.Is(err, media.ErrNoSet) {
		return err
	}
	if path == ref.StandardStream {
		return usagef("%w; ecrkit mirror export --to - writes one", err)
	}
	info, missing := os.Stat(path)
	switch {
	case errors.Is(missing, fs.ErrNotExist):
		return usagef("%s: there is no such file or directory; %s", showFile(path), names)
	case missing == nil && !info.IsDir() && isFile(filepath.Join(filepath.Dir(path), media.SetFile)):
		return usagef("%w; it belongs to the set in %s: name that directory", err, showFile(filepath.Dir(path)))
	case missing == nil && !info.IsDir():
		return usagef("%w; %s", err, names) // it begins with the path
	}
	if _, missing := os.Stat(filepath.Join(path, ocispec.ImageLayoutFile)); missing == nil {
		return usagef("%s is an OCI layout, not a set; copy its images with ecrkit push oci:%s HOST/REPOSITORY:TAG", showFile(path), path)
	}
	return usagef("%s: %w; ecrkit mirror export --to %s writes one, or completes one that was interrupted", path, err, path)
}

// isFile reports whether there is a regular file at path.
func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// setOpener opens the repositories of a set as sources.
type setOpener struct {
	*mirrorOpener
	set *media.Reader
}

func (o *setOpener) Source(_ context.Context, repository string) (content.Source, error) {
	return o.set.Repository(repository)
}
