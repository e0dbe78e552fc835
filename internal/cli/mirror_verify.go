package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/mirror/media"
	"github.com/ecrkit/ecrkit/transfer/content"
)

const mirrorVerifyHelp = `Read a set, which ecrkit mirror export wrote, and compare every file with its sum.

  ecrkit mirror verify usb/
  ecrkit mirror verify usb/ --key release.pub
  ecrkit mirror verify usb/ --repair
  ecrkit mirror verify images.tar week1/ week2/
  ssh HOST cat images.tar | ecrkit mirror verify -

A damaged, short or missing part is named (exit code 4). The set is only read. sha256sum --check
SHA256SUMS in the directory does the same.

--repair rebuilds such parts, if the set was exported with --parity and the damage is not larger
than that. A part is replaced when its new content has the right sum; until then it is beside the
old one, which takes space. What cannot be rebuilt stays as it is (exit code 4).

--key requires that the set is signed (ecrkit mirror export --sign). Otherwise nothing of it is read
(exit code 4).

Of several sets, those on which some build and that are not among them are named.

A set in one file, or - on stdin, is read from its first byte to the last; each damaged blob is
named. Nothing is written.

Prints a line for each set, or with --output json an object: id, size, parts, images, blobs, needs,
parity, and with --repair the names of the files that were rebuilt (repaired).`

// mirrorVerifyFlags are the flags of `ecrkit mirror verify`.
type mirrorVerifyFlags struct {
	keys   []string
	repair bool
}

// verifiedSet is the JSON form of what verify prints.
type verifiedSet struct {
	media.Set
	Repaired []string `json:"repaired,omitempty"`
}

func newMirrorVerifyCommand(app *App) *cobra.Command {
	var f mirrorVerifyFlags
	cmd := &cobra.Command{
		Use:   "verify DIR|FILE|-...",
		Short: "Check the files of a set, and repair them",
		Long:  mirrorVerifyHelp,
		Args:  atLeast("DIR|FILE|-"),
		RunE:  func(cmd *cobra.Command, args []string) error { return app.verifySets(cmd.Context(), args, f) },
	}
	cmd.Flags().BoolVar(&f.repair, "repair", false, "rebuild damaged files from the parity")
	addSetKeyFlag(cmd, &f.keys)
	return cmd
}

func (app *App) verifySets(ctx context.Context, sets []string, f mirrorVerifyFlags) error {
	if len(sets) == 1 {
		_, err := app.verifySet(ctx, sets[0], f)
		return err
	}
	var failures []error
	var verified []media.Set
	for _, path := range sets {
		set, err := app.verifySet(ctx, path, f)
		if err != nil {
			if !strings.Contains(err.Error(), path) {
				err = fmt.Errorf("%s: %w", showFile(path), err)
			}
			failures = append(failures, err)
		} else {
			verified = append(verified, set)
		}
		if ctx.Err() != nil {
			break
		}
	}
	for _, id := range media.MissingBases(verified) {
		app.Messagef("not among these sets: %s, on which some of them build; the destination must have it", id)
	}
	return partly(len(sets)-len(failures), failures)
}

// verifySet returns the description of a set that is whole.
func (app *App) verifySet(ctx context.Context, dir string, f mirrorVerifyFlags) (media.Set, error) {
	result, err := app.readVerified(ctx, dir, f)
	if err != nil {
		return media.Set{}, err
	}
	return result.Set, app.printVerified(dir, result)
}

// readVerified reads a set, and repairs it if that is asked for.
func (app *App) readVerified(ctx context.Context, dir string, f mirrorVerifyFlags) (result verifiedSet, err error) {
	options, err := app.setOptions(ctx, f.keys)
	if err != nil {
		return result, err
	}
	switch kind, err := app.openSetKind(dir); {
	case err != nil:
		return result, err
	case kind != setInDirectory && f.repair:
		return result, usagef("--repair needs a set in a directory, with parity: %s is one file; get it again", printable(dir))
	case kind == setInStream:
		if result.Set, err = media.VerifyStream(ctx, app.stdin(), options); err != nil {
			return result, noSet(dir, namesSets, fmt.Errorf("stdin: %w", err))
		}
		return result, nil
	}
	if f.repair {
		result.Set, result.Repaired, err = media.Repair(ctx, dir, options)
		for _, name := range result.Repaired {
			app.Messagef("rebuilt %s", name)
		}
	} else {
		result.Set, err = media.Verify(ctx, dir, options)
		if errors.Is(err, content.ErrIntegrity) && result.Parity != nil {
			err = fmt.Errorf("%w\nthe set has parity: ecrkit mirror verify %s --repair rebuilds what it can", err, dir)
		}
	}
	if err != nil {
		return result, noSet(dir, namesSets, err)
	}
	return result, nil
}

// printVerified prints that a set is whole.
func (app *App) printVerified(name string, result verifiedSet) error {
	if app.setKind(name) == setInStream {
		name = "stdin"
	}
	return app.PrintResult(result, fmt.Sprintf("%s: ok: %s, %s in %s\n", name,
		english.Plural(tagged(result.Set), "image", ""), humanize.IBytes(uint64(result.Size)), english.Plural(max(1, len(result.Parts)), "part", "")))
}

// openSetKind returns where a set is that is read.
func (app *App) openSetKind(path string) (setKind, error) {
	kind := app.setKind(path)
	if kind == setInStream && isTerminal(app.Stdin) {
		return kind, usagef("- reads a set from stdin, which is a terminal; name a directory or a file, or pipe one")
	}
	return kind, nil
}
