package cli

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"

	"github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/internal/governance"
	"github.com/ecrkit/ecrkit/scan"
	"github.com/ecrkit/ecrkit/transfer/content"
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

// partlyError is what failed of several things of which others were done.
type partlyError struct{ error }

func (e partlyError) Unwrap() error { return e.error }

// partly makes the error of a command that does several things one after the
// other; done is how many went well.
func partly(done int, failures []error) error {
	err := errors.Join(failures...)
	if err == nil || done == 0 {
		return err
	}
	return partlyError{err}
}
