package shaping

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// The clock of these tests is synctest's: times are exact.

func TestLineKeepsTheBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(Shape{Latency: time.Millisecond, Rate: 1 << 20}, time.Now(), new(sync.Pool))
		random := rand.New(rand.NewPCG(1, 2))
		want := make([]byte, 3<<20)
		for i := range want {
			want[i] = byte(random.Uint32())
		}
		sizes := rand.New(rand.NewPCG(3, 4))
		go func() {
			for p := want; len(p) > 0; {
				n, err := l.put(p[:1+sizes.IntN(min(len(p), 200<<10))], nil)
				if err != nil {
					t.Error(err)
					return
				}
				p = p[n:]
			}
			l.finish(io.EOF)
		}()
		start := time.Now()
		var got []byte
		for buf := make([]byte, 100<<10); ; {
			n, err := l.get(buf[:1+random.IntN(len(buf))], nil)
			got = append(got, buf[:n]...)
			if err != nil {
				if err != io.EOF {
					t.Error(err)
				}
				break
			}
			l.mu.Lock()
			held := len(l.blocks) * len(block{})
			l.mu.Unlock()
			if held > l.window+2*len(block{}) {
				t.Fatalf("the line holds %d bytes", held)
			}
		}
		if len(l.blocks) > 0 {
			t.Errorf("a line that carries nothing holds %d blocks", len(l.blocks))
		}
		if !bytes.Equal(got, want) {
			t.Error("the bytes changed")
		}
		// A handshake, 3 s at the rate less the burst, half a round trip.
		if took, want := time.Since(start), time.Millisecond+3*time.Second-burst+time.Millisecond/2; took != want {
			t.Errorf("took %v, want %v", took, want)
		}
	})
}

func TestLineBoundsTinyPieces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(Shape{Latency: time.Second}, time.Now(), new(sync.Pool))
		d := &deadline{}
		d.set(time.Now().Add(time.Millisecond))
		put := 0
		for ; ; put++ {
			if _, err := l.put([]byte{1}, d); err != nil {
				break
			}
		}
		if put != maxPieces || len(l.blocks) != 1 {
			t.Errorf("%d pieces in %d blocks", put, len(l.blocks))
		}
	})
}

func TestLineFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(Shape{Latency: time.Second}, time.Now(), new(sync.Pool))
		results := make(chan error, 2)
		go func() {
			_, err := l.get(make([]byte, 1), nil)
			results <- err
		}()
		go func() {
			for {
				if _, err := l.put(make([]byte, maxWindow), nil); err != nil {
					results <- err
					return
				}
			}
		}()
		time.Sleep(time.Second) // the window is full, nothing has arrived
		broken := errors.New("broken")
		l.fail(broken)
		for range 2 {
			if err := <-results; err != broken {
				t.Error(err)
			}
		}
	})
}

// pipe is a shaped connection and its peer, which is not shaped.
func pipe(shape Shape) (shaped *conn, peer net.Conn) {
	a, b := net.Pipe()
	return newConn(a, shape, new(sync.Pool)), b
}

// end closes both and waits for the goroutines, which need synctest's clock.
func end(c *conn, peer net.Conn) {
	c.Close()
	io.Copy(io.Discard, peer)
	peer.Close()
}

func TestConnLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, peer := pipe(Shape{Latency: 100 * time.Millisecond})
		start := time.Now()
		arrives := func(from, to net.Conn, want time.Duration) {
			t.Helper()
			if _, err := from.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(to, make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			if got := time.Since(start); got != want {
				t.Errorf("arrived after %v, want %v", got, want)
			}
		}
		const ms = time.Millisecond
		arrives(peer, c, 150*ms) // the handshake and half a round trip
		arrives(c, peer, 200*ms)
		arrives(peer, c, 250*ms)
		arrives(c, peer, 300*ms)
		end(c, peer)
	})
}

func TestConnRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, up := range []bool{true, false} {
			c, peer := pipe(Shape{Rate: 1 << 20})
			from, to := net.Conn(c), peer
			if up {
				from, to = peer, c
			}
			start := time.Now()
			go func() {
				from.Write(make([]byte, 4<<20))
				from.Close()
			}()
			n, err := io.Copy(io.Discard, to)
			if err != nil || n != 4<<20 {
				t.Errorf("%d bytes, %v", n, err)
			}
			if got, want := time.Since(start), 4*time.Second-burst; got != want {
				t.Errorf("took %v, want %v", got, want)
			}
			end(c, peer)
		}
	})
}

// Many writes with a long latency do not wait for each other.
func TestLatencyCostsNoThroughput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, peer := pipe(Shape{Latency: 200 * time.Millisecond, Rate: 1 << 20})
		start := time.Now()
		go func() {
			for range 2 << 10 {
				c.Write(make([]byte, 1<<10))
			}
			c.Close()
		}()
		n, err := io.Copy(io.Discard, peer)
		if err != nil || n != 2<<20 {
			t.Errorf("%d bytes, %v", n, err)
		}
		if got, want := time.Since(start), 200*time.Millisecond+2*time.Second-burst+100*time.Millisecond; got != want {
			t.Errorf("took %v, want %v", got, want)
		}
		peer.Close()
	})
}

func TestDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, peer := pipe(Shape{Latency: time.Second})
		timedOut := func(err error) {
			t.Helper()
			var timeout net.Error
			if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &timeout) || !timeout.Timeout() {
				t.Errorf("got %v", err)
			}
		}
		start := time.Now()
		c.SetReadDeadline(start.Add(time.Second))
		_, err := c.Read(make([]byte, 1))
		timedOut(err)
		if got := time.Since(start); got != time.Second {
			t.Errorf("timed out after %v", got)
		}
		// As net/http does it: a deadline in the past stops a Read that has begun, and
		// its removal makes the connection usable again.
		c.SetReadDeadline(time.Time{})
		go func() {
			time.Sleep(time.Second)
			c.SetReadDeadline(time.Unix(1, 0))
		}()
		_, err = c.Read(make([]byte, 1))
		timedOut(err)
		c.SetDeadline(time.Time{})
		go peer.Write([]byte("x"))
		if _, err := c.Read(make([]byte, 1)); err != nil {
			t.Error(err)
		}

		c.SetWriteDeadline(time.Now().Add(time.Second))
		n, err := c.Write(make([]byte, 3<<20)) // the peer does not read
		timedOut(err)
		if n < maxWindow || n > maxWindow+maxChunk {
			t.Errorf("%d bytes were buffered", n)
		}
		end(c, peer)
	})
}

func TestCloseDeliversAndIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, peer := pipe(Shape{Latency: time.Second})
		start := time.Now()
		c.Write([]byte("last words"))
		c.Close()
		if took := time.Since(start); took != 0 {
			t.Errorf("Close took %v", took)
		}
		got, err := io.ReadAll(peer)
		if string(got) != "last words" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		if took := time.Since(start); took != 1500*time.Millisecond {
			t.Errorf("delivered after %v", took)
		}
		for name, err := range map[string]error{
			"read":  func() error { _, err := c.Read(make([]byte, 1)); return err }(),
			"write": func() error { _, err := c.Write(make([]byte, 1)); return err }(),
			"close": c.Close(),
		} {
			if !errors.Is(err, net.ErrClosed) {
				t.Errorf("%s after Close: %v", name, err)
			}
		}
		peer.Close()

		// A peer that does not read holds the connection for the linger time only.
		c, peer = pipe(Shape{Latency: time.Second})
		c.Write([]byte("unheard"))
		c.Close()
		time.Sleep(maxLinger)
		synctest.Wait()
		if _, err := peer.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("got %v", err)
		}
	})
}

func TestCloseUnblocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, peer := pipe(Shape{Latency: time.Second})
		results := make(chan error, 2)
		go func() {
			_, err := c.Read(make([]byte, 1))
			results <- err
		}()
		go func() {
			_, err := c.Write(make([]byte, 3<<20))
			results <- err
		}()
		synctest.Wait()
		c.Close()
		for range 2 {
			if err := <-results; !errors.Is(err, net.ErrClosed) {
				t.Error(err)
			}
		}
		end(c, peer)
	})
}
