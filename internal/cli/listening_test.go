package cli

import (
	"net"
	"os"
	"testing"
)

// A busy server, to which it takes long to connect, is one that listens.
func TestRefused(t *testing.T) {
	t.Parallel()
	app := &App{}
	if err := app.checkListening(t.Context(), "http://127.0.0.1:1"); err == nil {
		t.Error("nothing listens there, and no error")
	}
	slow := &net.OpError{Op: "dial", Net: "tcp", Err: os.ErrDeadlineExceeded}
	if refused(slow) {
		t.Error("a connection that takes long was taken for a refused one")
	}
}
