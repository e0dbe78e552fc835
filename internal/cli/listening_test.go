package cli

import (
	"net"
	"os"
	"testing"
)

// A busy server, to which it takes long to connect, is one that listens.
func TestRefused(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	app := &App{}
	if err := app.checkListening(t.Context(), "http://"+address); err == nil {
		t.Error("nothing listens there, and no error")
	}
	slow := &net.OpError{Op: "dial", Net: "tcp", Err: os.ErrDeadlineExceeded}
	if refused(slow) {
		t.Error("a connection that takes long was taken for a refused one")
	}
}
