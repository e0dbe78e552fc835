package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/internal/jsonlist"
	"github.com/ecrkit/ecrkit/mirror"
	"github.com/ecrkit/ecrkit/mirror/media"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

const mirrorExportHelp = `Write images of many repositories into a directory or one file, to carry them across an air gap.

  ecrkit mirror export mirror.yaml --to usb/
  ecrkit mirror export HOST/web:1 HOST/db --to usb/
  ecrkit mirror export mirror.yaml --to usb/ --part-size fat32
  ecrkit mirror export mirror.yaml --to usb/ --have inventory.json --delta
  ecrkit mirror export mirror.yaml --to usb/ --parity 5% --sign alias/release
  ecrkit mirror export HOST/web:1 HOST/db --to images.tar
  ecrkit mirror export mirror.yaml --to - | ssh gate ecrkit mirror import - HOST/PREFIX

CONFIG selects images as in ecrkit mirror plan; its destinations do not count. HOST/REPOSITORY
without a tag is all tags. Signatures and other referrers come along, if CONFIG does not
leave them out.

The directory gets one OCI image layout in a tar, each blob once, which --part-size cuts into parts:
images.tar.001, images.tar.002. SHA256SUMS has their sums, set.json the images. Sizes are numbers
with a unit (700MiB, 4.7GB), or fat32, dvd, bd25 or s3 (the most that Amazon S3 takes in one PUT).
cat joins the parts, and skopeo reads the tar:
skopeo copy oci-archive:images.tar:HOST/web:1 ...

A --to that ends in .tar is one file: that tar, with set.json, its sum and its signature inside. -
is the same on stdout, in one pass and without a copy on the disk; messages go to stderr. Parts and
parity need a directory.

--have leaves out the blobs that an inventory of the destination has, and the manifests of images
that it has as a whole. The set can be imported only where they are. --delta, with --have, also
replaces layers that have changed only a little: the set has what differs from layers that the
destination has, and ecrkit mirror import makes the same bytes with the same digest again. Each
delta is proved first; other layers are carried whole, and a message says why. ecrkit mirror delta
shows what it would save.

Each blob is written once, to its place. Before the set is complete, it is read back and compared.
An export that was interrupted resumes when it is run again; one to stdout starts over. The same
images make the same bytes.

If a source limits pulls, as Docker Hub does, it waits for up to a day. --rate-limit 30m waits no
longer than that, and --rate-limit fail not at all: the export fails, and resumes when it is run
again.

--parity adds files from which ecrkit mirror verify --repair rebuilds damaged ones: with 5%, a lost
piece of a twentieth of the set, or many small ones. A lost part is rebuilt if it is no larger than
that.

--sign signs set.json, and with it the set. With --key, import and verify require that. The
signature is a Sigstore bundle in set.json.sigstore.json, which cosign verify-blob reads too. With a
secret key of minisign it is in set.json.minisig, for minisign -V.

An image that cannot be read is left out: the set has the others, and the exit code is 3.

Prints the files, or with --output json the content of set.json, and failed: from and error of the
images that are left out. See ecrkit mirror import.`

// mirrorExportFlags are the flags of `ecrkit mirror export`.
type mirrorExportFlags struct {
	to       string
	partSize string
	have     []string
	delta    bool
	parity   string
	sign     string
	trust    trustFlags
}

func newMirrorExportCommand(app *App) *cobra.Command {
	var f mirrorExportFlags
	cmd := &cobra.Command{
		Use:   "export CONFIG|REF... --to DIR|FILE|-",
		Short: "Write images into a directory or a file, for an air gap",
		Long:  mirrorExportHelp,
		Args:  atLeast("CONFIG|REF"),
		RunE:  func(cmd *cobra.Command, args []string) error { return app.exportMirror(cmd.Context(), args, f) },
	}
	cmd.Flags().StringVar(&f.to, "to", "", "`directory` of the set, a file that ends in .tar, or - for stdout")
	cmd.Flags().StringVar(&f.partSize, "part-size", "", "cut the tar into parts of this `size`: 700MiB, 4.7GB, fat32, dvd, bd25, s3")
	cmd.Flags().StringArrayVar(&f.have, "have", nil, "leave out what this inventory `file` has, see ecrkit mirror inventory; may be repeated")
	cmd.Flags().BoolVar(&f.delta, "delta", false, "with --have: send only what has changed inside of layers, where they can be rebuilt exactly")
	cmd.Flags().StringVar(&f.parity, "parity", "", "add parity that rebuilds this `share` of the set: 5%")
	inGroup(cmd, groupTransfer, func() {
		addProgressFlag(cmd, app)
		addRateLimitFlag(cmd)
	})
	inGroup(cmd, groupTrust, func() {
		f.trust.addPolicy(cmd)
		cmd.Flags().StringVar(&f.sign, "sign", "", "sign the set with this `KEY`: alias/NAME, an ARN, or a file in PEM or of minisign")
	})
	return cmd
}

// partSizes are the sizes of parts that have a name, in bytes.
var partSizes = map[string]int64{
	"fat32": 4<<30 - 1,
	"dvd":   4_700_372_992,
	"bd25":  25_025_314_816,
	// The largest object that Amazon S3 takes in one PUT has 5 GB, which is 2^30 bytes each:
	// https://docs.aws.amazon.com/AmazonS3/latest/userguide/upload-objects.html. A part of an upload in several parts is as large at most:
	// https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html.
	"s3": 5 << 30,
}

func parsePartSize(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	if n, ok := partSizes[s]; ok {
		return n, nil
	}
	n, err := humanize.ParseBytes(s)
	if err != nil || n < media.MinPartSize || n > 1<<62 {
		return 0, usagef("--part-size %s is not a size from 1MiB on; write 700MiB, 4.7GB, fat32, dvd, bd25 or s3", s)
	}
	return int64(n), nil
}

// parseParity returns the share that --parity names, from 0 to 1.
func parseParity(s string) (float64, error) {
	if s == "" {
		return 0, nil
	}
	number, ok := strings.CutSuffix(s, "%")
	share, err := strconv.ParseFloat(number, 64)
	if !ok || err != nil || !(share > 0 && share <= 100) {
		return 0, usagef("--parity %s is not a share of the set; write a percentage, such as 5%%", s)
	}
	return share / 100, nil
}

func (app *App) exportMirror(ctx context.Context, args []string, f mirrorExportFlags) error {
	if f.to == "" {
		return usagef("--to DIR is missing: the directory that gets the images, a file that ends in .tar, or - for stdout")
	}
	if err := checkFileName(f.to); err != nil {
		return err
	}
	kind := app.setKind(f.to)
	if kind != setInDirectory && (f.partSize != "" || f.parity != "") {
		return usagef("--part-size and --parity need a directory: --to %s is one file", f.to)
	}
	if kind == setInStream && isTerminal(app.rawStdout()) {
		return usagef("--to - writes a tar to stdout, which is a terminal; name a directory or a file, or pipe it: ecrkit mirror export ... --to - | ssh HOST ecrkit mirror import - HOST/PREFIX")
	}
	size, err := parsePartSize(f.partSize)
	if err != nil {
		return err
	}
	parity, err := parseParity(f.parity)
	if err != nil {
		return err
	}
	config, err := app.exportConfig(args)
	if err != nil {
		return err
	}
	signer, err := app.setSigner(ctx, f.sign)
	if err != nil {
		return err
	}
	have, err := app.readInventories(f.have)
	if err != nil {
		return err
	}
	if f.delta && len(have) == 0 {
		return usagef("--delta needs --have: which layers the destination has; ecrkit mirror inventory lists them")
	}
	settings, err := app.settings()
	if err != nil {
		return err
	}
	opener, err := app.mirrorOpener(nil, "")
	if err != nil {
		return err
	}
	defer app.limitMemoryTo(exportMemory)()
	progress, err := app.newProgress()
	if err != nil {
		return err
	}
	trusting := &mirrorTrust{app: app, flags: &f.trust, prepared: map[string]*preparedTrust{}}
	options := media.ExportOptions{PartSize: size, Have: have, Parity: parity, Options: mirror.Options{Now: app.Now, ManifestDir: app.manifestDir(), Prepare: trusting.prepare,
		Copy: transfer.Options{Layers: settings.Transfer.Layers, Connections: settings.Transfer.Connections, AllConnections: settings.Transfer.AllConnections,
			Progress: releasing(progress.Handle), Now: app.Now}}}
	var tried []media.LayerDelta
	if f.delta {
		options.Delta = &media.DeltaOptions{TempDir: app.tempDir(), Now: app.Now, Report: func(d media.LayerDelta) { tried = append(tried, d) }}
	}
	if signer != nil && kind != setInDirectory {
		options.Sign, options.SignatureFile = signer.sign, signer.file
	}
	var set media.Set
	switch kind {
	case setInDirectory:
		set, err = media.Export(ctx, config, opener, f.to, options)
	case setInFile:
		set, err = media.ExportFile(ctx, config, opener, f.to, options)
	case setInStream:
		out := app.streamedStdout()
		app.Stdout, app.RawStdout = app.Stderr, nil
		set, err = media.ExportStream(ctx, config, opener, out, options)
	}
	progress.Close()
	trusting.tell()
	left := new(media.IncompleteError)
	if errors.As(err, &left) {
		err = nil
	}
	if err == nil && signer != nil {
		if kind == setInDirectory {
			err = app.signSet(ctx, f.to, signer)
		} else {
			app.Messagef("signed the set with %s", signer.key)
		}
	}
	if failed := new(mirror.CopyError); errors.As(err, &failed) && strings.Contains(failed.From, "@") {
		return notedError{err, "there is no set without these images; when they are fixed, or left out (tags: {exclude: TAG} in a configuration), run the command again"}
	}
	if err != nil {
		return err
	}
	for _, d := range tried {
		app.Messagef("%s", layerDeltaText(d))
	}
	if err := app.printExported(set, left.Images); err != nil {
		return err
	}
	for _, image := range set.Images {
		if image.Original != "" {
			app.Messagef("%s is some platforms of %s@%s", image.Digest, image.Repository, image.Original)
		}
	}
	if len(set.Deltas) > 0 {
		whole := "whole layers"
		if len(set.Deltas) == 1 {
			whole = "a whole layer"
		}
		app.Messagef("%s instead of %s; import the set with ecrkit, where the bases are", english.Plural(len(set.Deltas), "delta", ""), whole)
	}
	to := f.to
	if kind == setInStream {
		to = "stdout"
	}
	app.Messagef("exported %s, %s to %s; next: ecrkit mirror import %s HOST/PREFIX", english.Plural(tagged(set), "image", ""), blobs(set.Blobs, set.Size), to, f.to)
	if len(left.Images) > 0 {
		return notedError{partlyError{left}, "the set is whole without these images, and does not change them where it is imported; when they are fixed, run the command again with another directory"}
	}
	return nil
}

// printExported prints a set, which may have many images.
func (app *App) printExported(set media.Set, left []*mirror.CopyError) error {
	if app.Output == outputJSON {
		return app.printLongResult(func(w io.Writer) error { return errors.Join(writeSet(w, set), writeLeftOut(w, left)) })
	}
	var text strings.Builder
	for _, p := range set.Files() {
		fmt.Fprintf(&text, "%s  %s  %s\n", p.Digest.Encoded(), humanize.IBytes(uint64(p.Size)), p.Name)
	}
	_, err := io.WriteString(app.Stdout, text.String())
	return err
}

// writeSet writes the JSON form of a set, image by image, without the brace that ends it.
func writeSet(w io.Writer, set media.Set) error {
	images := set.Images
	set.Images = []media.Image{}
	frame, err := json.Marshal(set)
	if err != nil {
		return err
	}
	return jsonlist.Write(w, bytes.TrimSuffix(frame, []byte("}")), `"images":[`, "", "", len(images), func(i int) ([]byte, error) { return json.Marshal(images[i]) })
}

// leftOut is an image that a set does not have.
type leftOut struct {
	From  string  `json:"from"`
	Error failure `json:"error"`
}

// writeLeftOut writes the images that a set does not have as a further member of its JSON form.
func writeLeftOut(w io.Writer, left []*mirror.CopyError) error {
	if len(left) == 0 {
		return nil
	}
	failed := make([]leftOut, len(left))
	for i, err := range left {
		failed[i] = leftOut{err.From, newFailure(err.From, err.Err)}
	}
	data, err := json.Marshal(failed)
	if err == nil {
		_, err = w.Write(append([]byte(`,"failed":`), data...))
	}
	return err
}

// setKind is where a set is.
type setKind int

const (
	setInDirectory setKind = iota
	setInFile
	setInStream
)

// setKind returns where --to has a set written.
func (app *App) setKind(to string) setKind {
	info, err := os.Stat(to)
	switch {
	case to == ref.StandardStream:
		return setInStream
	case err == nil && info.IsDir():
		return setInDirectory
	case err == nil, strings.HasSuffix(to, ".tar"):
		return setInFile
	}
	return setInDirectory
}

// tagged is how many images of a set are there for themselves: those with a tag of their own, and those without one that refer to none.
func tagged(s media.Set) (n int) {
	for _, image := range s.Images {
		own := slices.ContainsFunc(image.Tags, func(tag string) bool { return !isAttached([]string{tag}) })
		if own || len(image.Tags) == 0 && image.Subject == "" {
			n++
		}
	}
	return n
}

// isArchiveName reports whether a file is called like an archive with images.
func isArchiveName(path string) bool {
	return slices.ContainsFunc([]string{".tar", ".tar.gz", ".tgz"}, func(end string) bool { return strings.HasSuffix(strings.ToLower(path), end) })
}

// exportConfig reads the configuration, or makes one of references.
func (app *App) exportConfig(args []string) (mirror.Config, error) {
	if len(args) == 1 {
		info, err := os.Stat(args[0])
		switch {
		case err == nil && !info.IsDir() && isArchiveName(args[0]):
			return mirror.Config{}, usagef("%s is an archive, not a configuration; push it to a registry first: ecrkit push %s HOST/REPOSITORY:TAG", args[0], args[0])
		case args[0] == "-" || err == nil && !info.IsDir():
			return app.readMirrorSources(args[0])
		case err == nil:
			return mirror.Config{}, usagef("%s is a directory; name a configuration, or images as HOST/REPOSITORY[:TAG]", args[0])
		case !errors.Is(err, fs.ErrNotExist):
			return mirror.Config{}, err
		}
	}
	for _, arg := range args {
		if name := strings.ToLower(arg); strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml") || strings.HasSuffix(name, ".json") {
			if _, err := os.Stat(arg); err == nil {
				return mirror.Config{}, usagef("%s is a configuration, which is exported by itself; name either it, or images as HOST/REPOSITORY[:TAG]", arg)
			}
		}
	}
	var config mirror.Config
	places := map[string]int{}
	all := map[string]bool{}
	for _, arg := range args {
		r, err := app.parseReference(arg)
		if err != nil {
			return config, err
		}
		if !r.IsRepository() {
			return config, usagef("%s is not in a registry; write HOST/REPOSITORY[:TAG] or name a configuration, or push it to a registry first: ecrkit push %s HOST/REPOSITORY:TAG", arg, arg)
		}
		i, known := places[r.Place()]
		if !known {
			i = len(config.Images)
			places[r.Place()] = i
			config.Images = append(config.Images, mirror.ImageRules{From: r.Place()})
		}
		switch images := &config.Images[i]; {
		case r.Digest != "":
			images.Digests = append(images.Digests, r.Digest)
		case r.Tag != "":
			images.Tags.Match = append(images.Tags.Match, r.Tag)
			images.Tags.AtLeast++
		default:
			all[r.Place()] = true
		}
	}
	for i, images := range config.Images {
		if all[images.From] {
			config.Images[i].Tags = mirror.TagRules{Match: mirror.Patterns{"*"}}
		}
	}
	return config, nil
}
