package cli

import (
	"context"
	"errors"
	"fmt"

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

A damaged, short or missing part is named (exit code 4). The set is only read. sha256sum --check
SHA256SUMS in the directory does the same.

--repair rebuilds such parts, if the set was exported with --parity and the damage is not larger
than that. A part is replaced when its new content has the right sum; until then it is beside the
old one, which takes space. What cannot be rebuilt stays as it is (exit code 4).

--key requires that the set is signed (ecrkit mirror export --sign). Otherwise nothing of it is read
(exit code 4).

Prints a line, or with --output json one object: id, size, parts, images, blobs, needs, parity, and
with --repair the names of the files that were rebuilt (repaired).`

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
		Use:   "verify DIR",
		Short: "Check the files of a set, and repair them",
		Long:  mirrorVerifyHelp,
		Args:  arguments(0, "DIR"),
		RunE:  func(cmd *cobra.Command, args []string) error { return app.verifySet(cmd.Context(), args[0], f) },
	}
	cmd.Flags().BoolVar(&f.repair, "repair", false, "rebuild damaged files from the parity")
	addSetKeyFlag(cmd, &f.keys)
	return cmd
}

func (app *App) verifySet(ctx context.Context, dir string, f mirrorVerifyFlags) error {
	options, err := app.setOptions(ctx, f.keys)
	if err != nil {
		return err
	}
	var result verifiedSet
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
		return noSet(dir, err)
	}
	return app.PrintResult(result, fmt.Sprintf("%s: ok: %s, %s in %s\n", dir,
		english.Plural(tagged(result.Set), "image", ""), humanize.IBytes(uint64(result.Size)), english.Plural(len(result.Parts), "part", "")))
}
