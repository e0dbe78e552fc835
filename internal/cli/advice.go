package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/internal/calls/retry"
	"github.com/ecrkit/ecrkit/internal/governance"
	"github.com/ecrkit/ecrkit/internal/safetext"
	"github.com/ecrkit/ecrkit/internal/settings"
	"github.com/ecrkit/ecrkit/mirror/media"
	"github.com/ecrkit/ecrkit/scan"
	"github.com/ecrkit/ecrkit/sign"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/ecr"
	"github.com/ecrkit/ecrkit/transfer/index"
	"github.com/ecrkit/ecrkit/transfer/registry"
)

// The libraries know neither commands nor flags: their errors carry the facts. What to
// do next is added here, and nowhere else.

// advised returns the text of err with the advice for it. Of several errors each is a
// line with its own.
func (app *App) advised(ctx context.Context, cmd *cobra.Command, err error) string {
	if several := joined(err); several != nil {
		return app.advisedAll(ctx, cmd, several)
	}
	if e, ok := err.(notedError); ok {
		return app.advised(ctx, cmd, e.error) + "\n  " + e.note
	}
	// What an error quotes must not look like a line of ours.
	text := safetext.MaskUsers(strings.ReplaceAll(err.Error(), "\n", "\n  "))
	app.elsewhere.Range(func(host, note any) bool {
		if about(text, host.(string)) && !strings.Contains(text, note.(string)) {
			text += note.(string)
		}
		return true
	})
	if advice := app.advice(ctx, cmd, err); advice != "" {
		text = strings.TrimSuffix(text, ".") + "; " + advice
	}
	return text
}

// joined returns the errors of an errors.Join, also inside one of the errors of this
// package that decide the exit code; nil if err is not such a list.
func joined(err error) []error {
	switch e := err.(type) {
	case usageError:
		return joined(e.error)
	case partlyError:
		return joined(e.error)
	case gateError:
		return joined(e.error)
	}
	list, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return nil
	}
	several := list.Unwrap()
	if errors.Join(several...).Error() != err.Error() {
		return nil // a fmt.Errorf that wraps several
	}
	return several
}

// advice returns what the user of cmd can do about err; "" if nothing is known.
func (app *App) advice(ctx context.Context, cmd *cobra.Command, err error) string {
	var (
		repository *ecr.RepositoryNotFoundError
		image      *content.ImageNotFoundError
		tokens     *registry.TokenServerError
		refused    *registry.UnauthorizedError
		deletion   *content.DeleteError
		incomplete *content.IncompleteError
		limit      *retry.LimitError
	)
	switch {
	case errors.As(err, &repository):
		return app.missingRepository(ctx, cmd, repository)
	case errors.As(err, &image):
		return app.missingImage(ctx, image)
	case errors.As(err, &tokens):
		return fmt.Sprintf("if %s is the token server of that registry, allow it with %s=%s=%s, or with token_servers in the configuration file",
			tokens.Server, settings.TokenServersVariable, tokens.Registry, tokens.Server)
	case errors.As(err, &limit):
		return "run it again then"
	case errors.As(err, &refused):
		return fmt.Sprintf("log in with `docker login %s`, or ask for access", refused.Registry)
	}
	if text := notAPath(err); text != "" {
		return text
	}
	if text := misplaced(cmd, err); text != "" {
		return text
	}
	if errors.As(err, &incomplete) && len(incomplete.Complete) > 0 {
		switch {
		case cmd.Flags().Lookup("platform") != nil:
			return "take what is complete with --platform " + strings.Join(incomplete.Complete, " or --platform ")
		case cmd.HasParent() && cmd.Parent().Name() == "mirror":
			return "choose what is complete with platforms in the configuration"
		}
	}
	if errors.As(err, &deletion) && errors.Is(err, content.ErrUnsupported) {
		return notDeleted(deletion)
	}
	if errors.As(err, &deletion) && errors.Is(err, content.ErrNotFound) {
		return app.missingImage(ctx, &content.ImageNotFoundError{Place: deletion.Place, Image: cmp.Or(deletion.Name.Tag, string(deletion.Name.Digest))})
	}
	for _, a := range advices {
		if errors.Is(err, a.err) && (a.flag == "" || cmd.Flags().Lookup(a.flag) != nil) && (a.says == "" || strings.Contains(err.Error(), a.says)) {
			return a.text
		}
	}
	if app.isTemporary(err) {
		return "set TMPDIR to a directory that exists and that this user can write to"
	}
	return app.seeDoctor(cmd, err)
}

// isTemporary reports whether err is about a temporary file that cannot be made.
func (app *App) isTemporary(err error) bool {
	var file *fs.PathError
	return errors.As(err, &file) && (file.Op == "open" || file.Op == "mkdir") &&
		filepath.Dir(file.Path) == filepath.Clean(cmp.Or(app.tempDir(), os.TempDir())) && strings.HasPrefix(filepath.Base(file.Path), "ecrkit-")
}

// advices is the advice that needs no more than the kind of an error: the first that
// fits. flag is a flag that the command must have for the advice to be right.
var advices = []struct {
	err        error
	flag, says string
	text       string
}{
	{err: content.ErrTagKept, flag: "tag-prefix", text: "use --tag-prefix to keep both, or --force to move it"},
	{err: content.ErrForeign, flag: "include-foreign", text: "if its license allows you to distribute it, take it along with --include-foreign"},
	{err: content.ErrPlatformNeeded, flag: "platform", text: "choose one with --platform"},
	{err: index.ErrSamePlatform, flag: "force", text: "leave one of them out, or use --force to have both"},
	{err: index.ErrSamePlatform, text: "leave one of them out"},
	{err: index.ErrDockerList, text: "make an OCI index with `ecrkit index create --type oci`"},
	{err: index.ErrNotIndex, text: "make an index of it with `ecrkit index create`"},
	{err: content.ErrNoRoom, text: "set TMPDIR to a directory with more room, or unpack the file first"},
	{err: media.ErrDiskFull, text: "free space there, or export to another disk"},
	{err: media.ErrTooLarge, flag: "part-size", text: "write a directory with smaller files: --to DIR --part-size fat32"},
	{err: media.ErrNotInStream, text: "import it again, or write the stream to a file, and import that"},
	{err: errNoSignatures},
	{err: sign.ErrNoAttestation, text: "make one with `ecrkit attest`"},
	{err: sign.ErrNoPrivateKey, text: "`ecrkit generate-key-pair NAME` makes a key pair, and NAME.key is the private key"},
	{err: sign.ErrNoPublicKey, text: "`ecrkit public-key KEY` prints the public key of a private key or of a key in KMS"},
	{err: sign.ErrEncryption, text: "convert it with `cosign import-key-pair --key FILE`"},
	{err: sign.ErrUnsigned, text: "sign it with `ecrkit sign`"},
	{err: governance.ErrNoLifecyclePolicy, flag: "policy", text: "name one with --policy FILE; `ecrkit lifecycle new` writes one"},
	{err: governance.ErrNotEmpty, flag: "force", text: "use --force to delete them too"},
	{err: governance.ErrNoTemplate, text: "`ecrkit repo template ls` lists the templates"},
	{err: governance.ErrNoBackfill, text: "`ecrkit registry backfill ls` lists the backfills"},
	{err: governance.ErrNoDestination, text: "`ecrkit registry replication get` shows the destinations, and `ecrkit registry replication set` sets them"},
	{err: governance.ErrNoCacheRule, text: "`ecrkit registry pull-through get` lists the rules"},
	{err: governance.ErrTooManySigningRules, text: "`ecrkit signing remove-rule` removes a rule"},
	{err: governance.ErrSigningKMSKey, text: "use `ecrkit sign` to sign with a KMS key"},
	{err: governance.ErrNoSigningRule, text: "`ecrkit signing get` lists the rules"},
	{err: governance.ErrScannedToday, text: "`ecrkit scan report` shows what was found"},
	{err: governance.ErrEnhancedScanning, text: "`ecrkit scan wait` waits for the scan"},
	{err: scan.ErrNoResult, says: governance.NoScanRule, text: "add a rule with `ecrkit repo scanning add`"},
	{err: scan.ErrNoResult, says: governance.NoScanStarted, text: "start one with `ecrkit scan start`"},
}

// notDeleted is the advice about an image that a registry does not delete.
func notDeleted(e *content.DeleteError) string {
	if e.Name.Tag != "" && e.Digest != "" {
		return fmt.Sprintf("`ecrkit rm %s@%s` deletes the image with all its tags, if the registry deletes by digest", e.Place, e.Digest)
	}
	return "delete it with the registry's own tools, or allow deletion in its configuration (storage.delete.enabled in that of distribution)"
}

// about reports whether an error is about a registry, which messages call by its host or
// as ACCOUNT/REGION.
func about(text, host string) bool {
	if strings.Contains(text, host) {
		return true
	}
	r, err := auth.ParseRegistry(host, nil)
	return err == nil && !r.Public && strings.Contains(text, r.Account+"/"+r.Region)
}
