package cli

import "fmt"

// gateError is why a policy gate does not let something pass.
type gateError struct{ error }

func (e gateError) Unwrap() error { return e.error }

// gatef makes an error that ends the command with exit code 5.
func gatef(format string, args ...any) error {
	return gateError{fmt.Errorf(format, args...)}
}
