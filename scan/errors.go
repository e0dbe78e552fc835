package scan

import "errors"

var (
	// ErrGate is wrapped by the error of a verdict in which findings block an image.
	ErrGate = errors.New("the gate failed")
	// ErrNoResult is wrapped by the error of a verdict about an image without a result: its
	// scan failed, is not complete, or its findings are incomplete.
	ErrNoResult = errors.New("there is no scan result")
)
