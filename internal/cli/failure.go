package cli

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"

	"github.com/ecrkit/ecrkit/internal/calls/retry"
	"github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/internal/governance"
	"github.com/ecrkit/ecrkit/internal/safetext"
	"github.com/ecrkit/ecrkit/scan"
	"github.com/ecrkit/ecrkit/sign"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/ecr"
)

// Exit codes of ecrkit; `ecrkit help exit-codes` explains them.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitPartly      = 3   // some of several things were done
	exitIntegrity   = 4   // content or a signature is not as required
	exitConflict    = 5   // an immutable tag, a policy gate
	exitInterrupted = 130 // by a signal, as a shell reports it: 128 + SIGINT
)

// usageError is a mistake in the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// exitCode returns the exit code of a command that ended with err.
func exitCode(ctx context.Context, err error) int {
	var usage usageError
	var some partlyError
	var gate gateError
	switch {
	case err == nil:
		return exitDone
	case interrupted(ctx, err):
		return exitInterrupted
	case errors.As(err, &some):
		return exitPartly
	case errors.As(err, &usage):
		return exitUsage
	case errors.Is(err, content.ErrIntegrity), errors.Is(err, governance.ErrNotSigned), isRefusal(err):
		return exitIntegrity
	case errors.Is(err, content.ErrConflict), errors.Is(err, scan.ErrGate), errors.As(err, &gate):
		return exitConflict
	}
	return exitFailed
}

// missesFile reports whether err is that a file does not exist, is a directory, or has no image, which the command line
// names: by itself, as the value of a flag, after FORMAT=, or in a reference, oci-archive:FILE:TAG.
// That is a mistake in the command line, whichever command and flag it is. A directory that cannot be made is not such a mistake.
func missesFile(args []string, err error) bool {
	var some partlyError
	if errors.As(err, &some) {
		return false
	}
	if several := joined(err); len(several) > 0 {
		return !slices.ContainsFunc(several, func(one error) bool { return !missesFile(args, one) })
	}
	if none := new(content.NoImageError); errors.As(err, &none) {
		return slices.ContainsFunc(args, func(arg string) bool { return isReferenceTo(arg, none.Path) })
	}
	var file *fs.PathError
	if !errors.As(err, &file) || file.Op == "mkdir" || !errors.Is(file, fs.ErrNotExist) && !errors.Is(file, files.ErrDirectory) || file.Path == "" {
		return false
	}
	return slices.ContainsFunc(args, func(arg string) bool {
		rest, ok := strings.CutSuffix(arg, file.Path)
		return ok && (rest == "" || strings.HasSuffix(rest, "=")) || isReferenceTo(arg, file.Path)
	})
}

// isReferenceTo reports whether arg is a reference to what is at path: oci:DIRECTORY, oci-archive:FILE or
// docker-archive:FILE, with a tag, digest or name or without, by itself or after an equals sign.
func isReferenceTo(arg, path string) bool {
	for _, kind := range []string{"oci:", "oci-archive:", "docker-archive:"} {
		if i := strings.Index(arg, kind); i == 0 || i > 0 && arg[i-1] == '=' {
			rest, ok := strings.CutPrefix(arg[i+len(kind):], path)
			return ok && (rest == "" || rest[0] == ':' || rest[0] == '@')
		}
	}
	return false
}

// interrupted reports whether err is the end of the context: a signal ended the command.
func interrupted(ctx context.Context, err error) bool {
	return ctx.Err() != nil && errors.Is(err, context.Canceled)
}

// failure is the JSON form of an error, the same in every command.
type failure struct {
	Code    string `json:"code"`    // see failureCode
	Message string `json:"message"` // as on stderr
	Object  string `json:"object"`  // what the error is about; "" if that is not known
}

// newFailure returns the JSON form of an error about object; a typed error knows its
// object better.
func newFailure(object string, err error) failure {
	var (
		repository *ecr.RepositoryNotFoundError
		image      *content.ImageNotFoundError
		conflict   *content.ConflictError
	)
	switch {
	case errors.As(err, &repository):
		object = repository.Registry.Host + "/" + repository.Repository
	case errors.As(err, &image) && strings.Contains(image.Image, ":"):
		object = image.Place + "@" + image.Image
	case errors.As(err, &image):
		object = image.Place + ":" + image.Image
	case errors.As(err, &conflict):
		object = conflict.Image
	}
	return failure{failureCode(err), safetext.MaskUsers(err.Error()), safetext.MaskUsers(object)}
}

// failureOf is newFailure where there may be none.
func failureOf(object string, err error) *failure {
	f := newFailure(object, err)
	return &f
}

// isLimited reports whether err is that the limit of a registry is used up.
func isLimited(err error) bool {
	var limit *retry.LimitError
	return errors.As(err, &limit)
}

// failureCode names the kind of an error. `ecrkit help exit-codes` lists them.
func failureCode(err error) string {
	var usage usageError
	var some partlyError
	var gate gateError
	switch {
	case errors.Is(err, context.Canceled):
		return "interrupted"
	case errors.As(err, &some):
		return "partly"
	case errors.As(err, &usage):
		return "usage"
	case errors.Is(err, sign.ErrUnsigned), errors.Is(err, governance.ErrNotSigned):
		return "unsigned"
	case errors.Is(err, sign.ErrUntrusted):
		return "untrusted"
	case errors.Is(err, content.ErrIntegrity):
		return "integrity"
	case errors.Is(err, scan.ErrGate), errors.As(err, &gate):
		return "gate"
	case errors.Is(err, content.ErrConflict):
		return "conflict"
	case errors.Is(err, scan.ErrNoResult):
		return "no-result"
	case errors.Is(err, content.ErrNotFound):
		return "not-found"
	case errors.Is(err, content.ErrUnsupported):
		return "unsupported"
	case isLimited(err):
		return "rate-limit"
	}
	return "failed"
}

// objectOf returns the argument of a command that its error is about: the only one, or
// the one that the message names.
func objectOf(args []string, message string) string {
	if len(args) == 1 {
		return args[0]
	}
	for _, arg := range args {
		if arg != "" && arg != "-" && strings.Contains(message, arg) {
			return arg
		}
	}
	return ""
}
