// Package shaping makes accepted connections behave like a link with a
// round-trip time and a rate, so that tests and benchmarks on loopback meet the
// conditions of a network.
//
// Each direction is a delay line: a byte leaves it half a round trip after it
// was sent and after the bytes before it have passed at the link's rate. Reads
// and writes themselves do not sleep, so latency alone costs no throughput
// until a window of bytes is on the way. The window is 1 MiB a direction and
// connection at most, and with a rate no more than rate × latency + 256 KiB. It
// is the TCP window of the simulated link, except that a byte makes room when
// it arrives and not when its acknowledgement does: a direction carries at
// most 2 × window ÷ latency. Besides the window a direction holds one chunk of
// at most 64 KiB.
package shaping

import (
	"net"
	"sync"
	"time"
)

// Shape describes a link.
type Shape struct {
	// Latency is the round-trip time; each direction takes half of it. A new
	// connection costs one round trip more, as TCP's handshake does.
	Latency time.Duration
	// Rate is in bytes per second, for each direction of each connection; 0 means
	// unlimited.
	Rate int64
}

const (
	maxWindow = 1 << 20
	maxChunk  = 64 << 10
	// burst is how far a line may run ahead of its rate. Sleeps are late by
	// about a millisecond; with this the next bytes make up for it.
	burst = 5 * time.Millisecond
)

// window is how many bytes may be on the way in one direction.
func (s Shape) window() int {
	if s.Rate <= 0 {
		return maxWindow
	}
	queue := min(max(s.Rate/8, 16<<10), 256<<10) // 1/8 s, so that slow links do not store up seconds
	return int(min(float64(s.Rate)*s.Latency.Seconds()+float64(queue), maxWindow))
}

// chunk is how many bytes travel as one piece: 1/50 s, so that slow links
// deliver smoothly, within limits that keep fast ones cheap.
func (s Shape) chunk() int {
	if s.Rate <= 0 {
		return maxChunk
	}
	return int(min(max(s.Rate/50, 2<<10), maxChunk))
}

// Listener shapes every connection that l accepts. It returns l itself for a
// shape without latency and rate.
//
// The connections have NetConn, as *tls.Conn does, and CloseWrite. Close returns
// at once; what was written before is still delivered in its time, for at
// most 30 seconds. A reset that must come after the bytes already written is
// made by SetLinger(0) on NetConn, then Close on the connection itself.
func Listener(l net.Listener, shape Shape) net.Listener {
	if shape.Latency <= 0 && shape.Rate <= 0 {
		return l
	}
	return &listener{l, shape, new(sync.Pool)}
}

type listener struct {
	net.Listener
	shape Shape
	spare *sync.Pool // of the lines of all connections
}

func (l *listener) Accept() (net.Conn, error) {
	raw, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if tcp, ok := raw.(*net.TCPConn); ok && l.shape.Rate > 0 {
		// Else the kernel takes megabytes at once that the link carries only
		// later. A failure leaves the rate right.
		_ = tcp.SetReadBuffer(l.shape.window())
	}
	return newConn(raw, l.shape, l.spare), nil
}
