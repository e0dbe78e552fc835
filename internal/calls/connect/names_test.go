package connect

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// nameServer answers each question about an address of IPv4 with 192.0.2.7, but not the first queries, which are lost.
func nameServer(t *testing.T, lost int) string {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(func() {
		conn.Close()
		wg.Wait()
	})
	wg.Go(func() {
		seen := map[dnsmessage.Type]int{}
		for buffer := make([]byte, 1500); ; {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buffer[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			question := m.Questions[0]
			if seen[question.Type]++; seen[question.Type] <= lost {
				continue
			}
			answer := dnsmessage.Message{Header: dnsmessage.Header{ID: m.ID, Response: true, RecursionAvailable: true}, Questions: m.Questions}
			if question.Type == dnsmessage.TypeA {
				answer.Answers = []dnsmessage.Resource{{
					Header: dnsmessage.ResourceHeader{Name: question.Name, Class: dnsmessage.ClassINET, TTL: 60},
					Body:   &dnsmessage.AResource{A: [4]byte{192, 0, 2, 7}},
				}}
			}
			if packed, err := answer.Pack(); err == nil {
				_, _ = conn.WriteTo(packed, from)
			}
		}
	})
	return conn.LocalAddr().String()
}

// TestLostQueries: a name server that loses queries is asked again soon; Go itself does so after five
// seconds.
func TestLostQueries(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]int{"none": 0, "one": 1, "two": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := nameServer(t, lost)
			names := Names{Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, server)
			}}
			ctx, cancel := context.WithTimeout(t.Context(), 4500*time.Millisecond)
			defer cancel()
			all, err := names.LookupHost(ctx, "registry.example.")
			if err != nil || len(all) != 1 || all[0] != "192.0.2.7" {
				t.Errorf("%v, %v", all, err)
			}
		})
	}
}

// TestLiterals: an address is no name, and is looked up nowhere.
func TestLiterals(t *testing.T) {
	t.Parallel()
	names := Names{Dial: func(context.Context, string, string) (net.Conn, error) {
		t.Error("a name server was asked")
		return nil, context.Canceled
	}}
	for given, want := range map[string]string{"192.0.2.1": "192.0.2.1", "2001:db8::1": "2001:db8::1", "::ffff:192.0.2.1": "192.0.2.1", "fe80::1%lo": "fe80::1%lo"} {
		all, err := names.Lookup(t.Context(), "tcp", given)
		if err != nil || len(all) != 1 || all[0].String() != want {
			t.Errorf("%s: %v, %v", given, all, err)
		}
	}
}
