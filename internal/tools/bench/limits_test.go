//go:build linux

package main

import (
	"math"
	"testing"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// image is an input with layers of one size, and a config for each manifest.
func image(layers int, size int64, manifests, configs int) *input {
	in := &input{manifests: manifests}
	for range layers {
		in.blobs = append(in.blobs, ocispec.Descriptor{Size: size})
	}
	for range configs {
		in.blobs = append(in.blobs, ocispec.Descriptor{Size: 500})
	}
	return in
}

func TestMinimumOfCalls(t *testing.T) {
	for _, c := range []struct {
		name       string
		in         *input
		push, pull int
	}{
		{"10 layers of one part", image(10, 8*mib, 1, 1), 24, 12},
		{"index of 2 platforms with 5 layers each", image(10, mib, 3, 2), 28, 14},
		{"40 layers", image(40, 2*mib, 1, 1), 84, 42},
		{"one layer of 52 parts", image(1, 512*mib, 1, 1), 58, 3},
		{"one layer of exactly one part", image(1, partSize, 1, 1), 6, 3},
		{"more digests than one check takes", image(100, mib, 1, 1), 2 + 1 + 202, 102},
	} {
		if got := pushCalls(c.in); got != c.push {
			t.Errorf("%s: push takes %d calls, want %d", c.name, got, c.push)
		}
		if got := pushCallsV2(c.in); got > c.push {
			t.Errorf("%s: push by /v2/ takes %d calls, more than by parts", c.name, got)
		}
		if got := pullCalls(c.in); got != c.pull {
			t.Errorf("%s: pull takes %d calls, want %d", c.name, got, c.pull)
		}
	}
}

func TestLimit(t *testing.T) {
	machine := rates{SHA256: 1024 * mib, Cores: 2}
	const size = 512 * mib
	for _, c := range []struct {
		name string
		work workload
		want float64
	}{
		{"the connections", workload{bytes: size, largest: size, wire: 1, hashed: hashedPull, connections: 8, rate: 10 * mib}, 6.4},
		{"the connections, by native parts", workload{bytes: size, largest: size, wire: nativeWire, hashed: hashedNative, connections: 8, rate: 10 * mib}, 6.4 * 4 / 3},
		{"no cap: the hash of one layer", workload{bytes: size, largest: size, wire: 1, hashed: hashedPull, connections: 8}, 0.5},
		{"no cap: all that is hashed", workload{bytes: size, largest: size / 4, wire: nativeWire, hashed: hashedNative, connections: 8}, (2 + 8.0/3) / 2 / 2},
		{"the round trips", workload{bytes: mib, largest: mib, wire: 1, hashed: hashedPull, connections: 8, roundTrips: 5, latency: 50 * time.Millisecond}, 0.25},
		{"nothing", workload{}, 0},
	} {
		if got := c.work.limit(machine); math.Abs(got-c.want) > 1e-6 {
			t.Errorf("%s: the limit is %.6f s, want %.6f", c.name, got, c.want)
		}
	}
}

func TestRoundTrips(t *testing.T) {
	us, peer := &program{name: ours, connections: 16}, &program{name: "crane", connections: 4}
	many, one := image(40, 2*mib, 1, 1), image(1, 512*mib, 1, 1)
	for _, c := range []struct {
		name string
		s    scenario
		p    *program
		in   *input
		want int
	}{
		{"one layer, pushed", scenario{do: opPush, largest: true}, us, one, 5},
		{"one layer, pulled", scenario{do: opPull, largest: true}, peer, one, 5},
		{"41 blobs over 16 connections, pushed", scenario{do: opPush}, us, many, 9},
		{"41 blobs over 4 connections, pushed", scenario{do: opPush}, peer, many, 25},
		{"41 blobs over 16 connections, pulled", scenario{do: opPull}, us, many, 7},
		{"41 blobs over 16 connections, copied", scenario{do: opCopy}, us, many, 12},
		{"41 blobs over 16 connections, mounted", scenario{do: opCopy, mounting: true}, us, many, 7},
		{"what is there, pushed", scenario{do: opWarm}, us, many, 2},
		{"a tag", scenario{do: opTag}, us, many, 3},
	} {
		if got := c.s.work(variant{program: c.p}, c.in).roundTrips; got != c.want {
			t.Errorf("%s: %d round trips, want %d", c.name, got, c.want)
		}
	}
}

func TestSpeed(t *testing.T) {
	for _, c := range []struct {
		shape shape
		want  float64
	}{
		{shape{}, 0},
		{shape{latency: 50 * time.Millisecond}, 40 * mib},
		{shape{latency: 20 * time.Millisecond, rate: 10 * mib}, 10 * mib},
	} {
		if got := c.shape.speed(); got != c.want {
			t.Errorf("%s: %.0f bytes per second, want %.0f", c.shape, got, c.want)
		}
	}
}

func TestWork(t *testing.T) {
	us, peer := &program{name: ours, connections: 16}, &program{name: "crane", connections: 4}
	large, many := image(1, 512*mib, 1, 1), image(10, 8*mib, 1, 1)
	one := scenario{do: opPush, largest: true}
	for _, c := range []struct {
		name        string
		s           scenario
		v           variant
		in          *input
		wire        float64
		connections int
	}{
		{"ours sends a large layer by parts", one, variant{program: us}, large, nativeWire, 8},
		{"ours as told", one, variant{program: us, connections: 4}, large, nativeWire, 4},
		{"no more connections than parts", one, variant{program: us, connections: 16}, image(1, 25*mib, 1, 1), nativeWire, 3},
		{"a peer has one connection for a layer", one, variant{program: peer}, large, 1, 1},
		{"a peer has several for several", scenario{do: opPush}, variant{program: peer}, many, 1, 4},
		{"ours sends small layers by /v2/", scenario{do: opPush}, variant{program: us}, many, 1, 16},
		{"a pull is never base64", scenario{do: opPull, largest: true}, variant{program: us}, large, 1, 8},
	} {
		w := c.s.work(c.v, c.in)
		if w.wire != c.wire || w.connections != c.connections {
			t.Errorf("%s: %.3f bytes on the wire and %d connections, want %.3f and %d", c.name, w.wire, w.connections, c.wire, c.connections)
		}
	}
}
