package cli

import (
	"context"
	"errors"
	"strings"

	"github.com/ecrkit/ecrkit/internal/calls/retry"
	"github.com/ecrkit/ecrkit/internal/governance"
	"github.com/ecrkit/ecrkit/internal/safetext"
	"github.com/ecrkit/ecrkit/scan"
	"github.com/ecrkit/ecrkit/sign"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/ecr"
)

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
