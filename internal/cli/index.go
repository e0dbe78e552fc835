package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/internal/imagetree"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/index"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

const indexHelp = `Make and edit image indexes: one name for the images of several platforms.

  ecrkit index create HOST/app:1.2 HOST/app:1.2-amd64 HOST/app:1.2-arm64
  ecrkit index add HOST/app:1.2 oci:build:1.2-s390x
  ecrkit index remove HOST/app:1.2 linux/s390x
  ecrkit index annotate HOST/app:1.2 org.opencontainers.image.version=1.2

An index is in one repository with its images, or in an OCI layout; images from
elsewhere are copied there. What is not edited of an index, fields that ecrkit does
not know too, stays byte for byte and in its order. Nothing is locked: of two
who edit one tag at once, the later wins.

--sign KEY signs the new index before the tag names it, as with ecrkit push; what a
policy requires of the repository holds here, too. What comes from another repository
is verified first, as by ecrkit copy.

All commands print DIGEST and the reference, or with --output json one object:
reference, digest, mediaType, tags, manifests (the entries, as descriptors), copied
(images), bytesSent, dryRun, signatures (if it was signed). With --dry-run nothing is
written and the JSON of the index is printed; with --output json it is the member
index, compact. The files for pipelines (--digest-file, ...) are those of ecrkit push.`

func newIndexCommand(app *App) *cobra.Command {
	return newGroup("index", "Create and edit image indexes", indexHelp,
		newIndexCreateCommand(app), newIndexAddCommand(app), newIndexRemoveCommand(app), newIndexAnnotateCommand(app),
	)
}

// indexOutput is the JSON form of what the index commands print.
type indexOutput struct {
	Reference string `json:"reference"` // of the index
	index.Result
	DryRun bool            `json:"dryRun"`
	Index  json.RawMessage `json:"index,omitempty"` // with DryRun
	trusted
}

// putIndex writes index to dst, or only shows it, and prints the result. home
// is where its images are.
func (app *App) putIndex(ctx context.Context, idx *index.Index, home, dst ref.Reference, flags trustFlags, files resultFiles, dryRun bool) error {
	trust, err := flags.prepare(ctx, app, home, []ref.Reference{dst}, true)
	if err != nil {
		return err
	}
	results, err := files.open(app)
	if err != nil {
		return err
	}
	defer results.discard()
	var other content.Endpoint
	if !samePlace(home, dst) {
		if other, err = app.openRepository(ctx, dst); err != nil {
			return err
		}
	}
	var tags []string
	if dst.Tag != "" {
		tags = []string{dst.Tag}
	}
	out := indexOutput{Reference: dst.String(), DryRun: dryRun}
	if dryRun {
		m, err := idx.Manifest()
		if err != nil {
			return err
		}
		if out.Result, err = idx.Plan(other, tags); err != nil {
			return err
		}
		out.Index = m.Content
		return app.PrintResult(out, strings.TrimRight(string(m.Content), "\n")+"\n")
	}
	options, err := (&copying{app: app}).options(home)
	if err != nil {
		return err
	}
	progress, err := app.newProgress()
	if err != nil {
		return err
	}
	options.Progress = releasing(progress.Handle)
	found := trust.applyIndex(&options, dst)
	out.Result, err = idx.Put(ctx, other, tags, options)
	progress.Close()
	found.tell()
	if err != nil {
		return err
	}
	out.Signatures = found.signatures()
	app.Messagef("%s: %s; %s copied", english.Plural(len(out.Manifests), "entry", "entries"), entryNames(out.Manifests), english.Plural(out.Copied, "image", ""))
	if err := app.PrintResult(out, fmt.Sprintf("%s  %s\n", out.Digest, dst)); err != nil {
		return err
	}
	stored := newMade([]ref.Reference{dst}, out.Digest, out.MediaType, out.ManifestSize)
	if o := trust.destinations[dst.Place()]; o != nil && o.signer != nil && len(out.Signatures) > 0 {
		stored.signers = []string{o.signer.Key.Name}
	}
	return app.report("Index stored", results, []made{stored})
}

// entryNames names for people what the entries are for.
func entryNames(entries []content.Descriptor) string {
	var names []string
	for _, d := range entries {
		name := "no platform"
		switch p := d.Platform; {
		case d.ArtifactType != "" && !imagetree.IsImageConfig(d.ArtifactType):
			name = artifactKind(d.ArtifactType) // whatever platform it has
		case d.Annotations[imagetree.AnnotationSOCI] != "":
			name = "SOCI index"
		case d.Annotations[imagetree.AnnotationAttests] != "":
			name = "attestation"
		case p != nil && p.OS != "":
			name = content.Platform{OS: p.OS, Architecture: p.Architecture, Variant: p.Variant, OSVersion: p.OSVersion}.String()
		}
		names = append(names, name)
	}
	return printable(strings.Join(names, ", "))
}

// samePlace reports whether two references are in one repository or layout.
func samePlace(a, b ref.Reference) bool {
	if a.Kind == ref.KindLayout && b.Kind == ref.KindLayout {
		return filepath.Clean(a.Path) == filepath.Clean(b.Path)
	}
	return a.Place() == b.Place()
}

// indexEditFlags are common to the commands that edit an index.
type indexEditFlags struct {
	to     string
	dryRun bool
	trust  trustFlags
	files  resultFiles
}

func (f *indexEditFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.to, "to", "", "`TAG` or reference that the edited index gets instead of the tag of REF")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "print the index and write nothing")
	f.trust.addSign(cmd, "sign-annotation", "")
	f.trust.addPolicy(cmd)
	f.files.add(cmd)
}

// indexToEdit reads the reference of an index that is to be edited, and where the
// edited one goes: to says so as a tag in the same place or as a reference; ""
// is the same tag.
func (app *App) indexToEdit(s, to string) (at, dst ref.Reference, err error) {
	if at, err = app.parseReference(s); err != nil {
		return at, dst, err
	}
	at = withLatest(at)
	if at.Name() == "" {
		return at, dst, usagef("%s: name the index by its tag or digest", s)
	}
	dst = at
	dst.Digest = ""
	switch {
	case to == "":
	case content.CheckTag(to) == nil:
		dst.Tag = to
	default:
		if dst, err = app.parseReference(to); err != nil {
			return at, dst, err
		}
		dst = withLatest(dst)
		if dst.Digest != "" {
			return at, dst, usagef("--to %s: the digest of an edited index is not known before; name a tag", to)
		}
	}
	return at, dst, nil
}

// editIndex reads the index that s names, has edit change it and writes it.
func (app *App) editIndex(ctx context.Context, s string, flags indexEditFlags, edit func(idx *index.Index) error) error {
	at, dst, err := app.indexToEdit(s, flags.to)
	if err != nil {
		return err
	}
	repository, err := app.openRepository(ctx, at)
	if err != nil {
		return err
	}
	idx, err := index.Open(ctx, repository, at.Name())
	if err != nil {
		return err
	}
	if !samePlace(at, dst) {
		verify, err := flags.trust.sourceVerifier(ctx, app, at)
		if err != nil {
			return err
		}
		if verify != nil {
			m, err := idx.Manifest() // as it was read
			if err != nil {
				return err
			}
			if err := verify(ctx, repository, m); err != nil {
				return err
			}
		}
	}
	if err := edit(idx); err != nil {
		return err
	}
	return app.putIndex(ctx, idx, at, dst, flags.trust, flags.files, flags.dryRun)
}

// additions opens what is to be put into an index in the place of at: references,
// or :TAG and @DIGEST for what is there. What comes from elsewhere is verified as trust says.
func (app *App) additions(ctx context.Context, at ref.Reference, sources []string, trust *trustFlags) (additions []index.Addition, closeAll func(), err error) {
	var closers []func() error
	closeAll = func() {
		for _, c := range closers {
			c()
		}
	}
	defer func() {
		if err != nil {
			closeAll()
		}
	}()
	for _, s := range sources {
		if strings.HasPrefix(s, ":") || strings.HasPrefix(s, "@") {
			s = at.Place() + s
		}
		r, err := app.parseReference(s)
		if err != nil {
			return nil, closeAll, err
		}
		r = withLatest(r)
		addition := index.Addition{Reference: r.Name()}
		if !samePlace(at, r) {
			if addition.Verify, err = trust.sourceVerifier(ctx, app, r); err != nil {
				return nil, closeAll, err
			}
			source, closeSource, err := app.openSource(ctx, r)
			if err != nil {
				return nil, closeAll, err
			}
			closers = append(closers, closeSource)
			addition.Source = source
		}
		additions = append(additions, addition)
	}
	return additions, closeAll, nil
}

// keyValues reads KEY=VALUE arguments.
func keyValues(args []string) (map[string]string, error) {
	values := map[string]string{}
	for _, arg := range args {
		key, value, ok := strings.Cut(arg, "=")
		if !ok || key == "" {
			return nil, usagef("%q is not KEY=VALUE; write %s=VALUE", arg, cmp.Or(key, "KEY"))
		}
		if _, twice := values[key]; twice {
			return nil, usagef("the annotation %q is given twice", key)
		}
		values[key] = value
	}
	return values, nil
}
