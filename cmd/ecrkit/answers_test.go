package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestUnaskedAnswer has a server send bytes that nobody asked for, between two answers: net/http logs them, and the
// log of the command does not have them.
func TestUnaskedAnswer(t *testing.T) {
	all, kept := &signalWriter{written: make(chan struct{}, 10)}, &strings.Builder{}
	log.SetOutput(io.MultiWriter(withoutAnswers{kept}, all))
	defer log.SetOutput(io.Discard)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = conn.Read(make([]byte, 4096))
		fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\noks3cret")
		_, _ = conn.Read(make([]byte, 1)) // until the client closes
	}()
	response, err := new(http.Client).Get("http://" + l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(response.Body); err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	select {
	case <-all.written:
	case <-time.After(30 * time.Second):
		t.Fatal("net/http does not log such bytes any more")
	}
	log.Print("another line")
	if text := kept.String(); strings.Contains(text, "s3cret") || !strings.Contains(text, "another line") {
		t.Errorf("the log has %q", text)
	}
}

// signalWriter signals that something was written.
type signalWriter struct{ written chan struct{} }

func (w *signalWriter) Write(p []byte) (int, error) {
	w.written <- struct{}{}
	return len(p), nil
}
