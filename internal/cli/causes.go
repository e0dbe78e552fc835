package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/internal/lazyregexp"
	"github.com/ecrkit/ecrkit/internal/safetext"
	"github.com/ecrkit/ecrkit/mirror"
	"github.com/ecrkit/ecrkit/transfer/content"
)

const (
	// alike is how many errors with the same cause are printed one by one.
	alike = 3
	// examples is how many of more are named behind the first.
	examples = 2
)

// causeOf are errors of a mirror with the same cause.
type causeOf struct {
	errs []error
	// each names what each of the errors is about; nil if they are of no mirror.
	each func(err error) string
	// conflict reports that they are about tags.
	conflict bool
}

// advisedAll returns the text of errors, with the advice for each. Of many images of a mirror that fail with the same cause,
// the first is printed, with the number of the others.
func (app *App) advisedAll(ctx context.Context, cmd *cobra.Command, several []error) string {
	var lines []string
	for _, cause := range causesOf(flat(several)) {
		printed := cause.errs
		if len(printed) > alike {
			printed = printed[:1]
		}
		for _, err := range printed {
			lines = append(lines, app.advised(ctx, cmd, err))
		}
		if others := cause.errs[len(printed):]; len(others) > 0 {
			lines = append(lines, fmt.Sprintf("  and %d more with the same cause, such as%s", len(others), whereAll(cmd, cause.conflict)))
			for _, err := range others[:examples] {
				lines = append(lines, "    "+safetext.MaskUsers(cause.each(err)))
			}
		}
	}
	return strings.Join(lines, "\n")
}

// flat returns the errors with those of lists among them.
func flat(several []error) (all []error) {
	for _, err := range several {
		if list := joined(err); list != nil {
			all = append(all, flat(list)...)
		} else {
			all = append(all, err)
		}
	}
	return all
}

// causesOf groups errors by their cause, in the order of the first of each.
func causesOf(several []error) (causes []*causeOf) {
	known := map[string]*causeOf{}
	for _, err := range several {
		key := ""
		next := &causeOf{errs: []error{err}}
		switch e := err.(type) {
		case *mirror.CopyError:
			key = "copy " + cause(e)
			next.each = func(err error) string { return err.(*mirror.CopyError).What() }
		case *content.ConflictError:
			key, next.conflict = fmt.Sprint("conflict ", e.Kept), true
			next.each = func(err error) string {
				e := err.(*content.ConflictError)
				return fmt.Sprintf("%s, which names %s, not %s", e.Image, e.Have, e.Want)
			}
		}
		if same := known[key]; same != nil && key != "" {
			same.errs = append(same.errs, err)
			continue
		}
		known[key] = next
		causes = append(causes, next)
	}
	return causes
}

// varying is what differs between images that fail with the same cause: digests, tags, IDs of uploads, times and places in a blob.
var varying = lazyregexp.New(`sha256:[0-9a-f]+|\(tags? [^)]*\)|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d{4}-\d\d-\d\dT[0-9:.]+Z?|\bat byte \d+|\b[0-9.]+(ms|s|m|h)\b`)

// cause returns the text of an error without the names that differ between images.
func cause(e *mirror.CopyError) string {
	text := e.Err.Error()
	for _, name := range []string{e.To, e.From} {
		if name == "" {
			continue
		}
		name, _, _ = strings.Cut(name, "@")
		_, repository, _ := strings.Cut(name, "/")
		for _, known := range []string{name, " " + repository, "/" + repository, "'" + repository, `"` + repository} {
			text = strings.ReplaceAll(text, known, "…")
		}
	}
	return varying.ReplaceAllString(text, "…")
}

// whereAll is behind some examples, and says where all of them are.
func whereAll(cmd *cobra.Command, conflict bool) string {
	name := cmd.Name()
	switch {
	case !cmd.HasParent() || cmd.Parent().Name() != "mirror":
		return ":"
	case conflict && name == "apply":
		return " these (ecrkit mirror plan lists all):"
	case conflict && name == "import":
		return " these (--dry-run lists all):"
	case conflict, name == "export":
		return ":"
	}
	return " these (--output json lists all):"
}

// notedError is an error with a note about all that it is about, on a line of its own.
type notedError struct {
	error
	note string
}

func (e notedError) Error() string { return e.error.Error() + "\n" + e.note }

func (e notedError) Unwrap() error { return e.error }
