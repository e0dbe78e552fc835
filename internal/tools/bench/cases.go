//go:build linux

package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

const mib = 1 << 20

// A scenario is one table of the benchmark.
type scenario struct {
	id, title, note string
	short           string // its title in the chart, "" if it is missing
	input           string // the name of one of the inputs
	shape           shape
	do              operation
	tried           []int // connections that ours is given
	two             bool  // the destination is another registry
	kill            bool
	largest         bool // one layer carries the bytes: the peers use one connection
	mounting        bool // the account setting BLOB_MOUNTING is ENABLED
	minCalls        func(in *input) int
}

// budget is how many seconds the runs of one program may take together: less after a kill, where each is two.
func (s scenario) budget() float64 {
	if s.kill {
		return 15
	}
	return 30
}

// An operation is what a command line does.
type operation string

const (
	opPush    operation = "push"
	opPull    operation = "pull"
	opCopy    operation = "copy"
	opTag     operation = "tag"
	opWarm    operation = "warm" // push what is there
	opArchive operation = "archive"
	// opArchiveWarm is opArchive of what is there.
	opArchiveWarm operation = "archive-warm"
)

// sizes are those of the inputs, in bytes.
type sizes struct {
	large, medium, small, platform, archive int64
}

var (
	fullSizes  = sizes{large: 512 * mib, medium: 8 * mib, small: 2 * mib, platform: mib, archive: 64 * mib}
	quickSizes = sizes{large: 24 * mib, medium: mib, small: mib / 4, platform: mib / 4, archive: 4 * mib}
)

// The inputs by name.
const (
	inLarge   = "large"   // one layer
	inMedium  = "medium"  // 10 layers
	inSmall   = "small"   // 40 layers
	inIndex   = "index"   // 2 platforms with 5 layers each
	inArchive = "archive" // docker-archive with 4 uncompressed layers
)

// write makes an input at path.
func (s sizes) write(name, path string) (*input, error) {
	repeat := func(n int, size int64) (list []int64) {
		for range n {
			list = append(list, size)
		}
		return list
	}
	one := []string{"amd64"}
	switch name {
	case inLarge:
		return writeLayout(path, 1000, one, repeat(1, s.large))
	case inMedium:
		return writeLayout(path, 2000, one, repeat(10, s.medium))
	case inSmall:
		return writeLayout(path, 3000, one, repeat(40, s.small))
	case inIndex:
		return writeLayout(path, 4000, []string{"amd64", "arm64"}, repeat(5, s.platform))
	case inArchive:
		return writeArchive(path, 5000, repeat(4, s.archive))
	}
	return nil, fmt.Errorf("there is no input %q", name)
}

// scenarios are all tables, in their order.
func scenarios(s sizes) []scenario {
	var (
		plain  = shape{}
		slow   = shape{20 * time.Millisecond, 10 * mib}
		faster = shape{20 * time.Millisecond, 20 * mib}
		fast   = shape{20 * time.Millisecond, 50 * mib}
		far    = shape{latency: 50 * time.Millisecond}
	)
	size := func(n int64) string { return strings.Replace(humanize.IBytes(uint64(n)), ".0 ", " ", 1) }
	large := "one layer of " + size(s.large)
	medium := "10 layers of " + size(s.medium)
	small := "40 layers of " + size(s.small)
	every, some := []int{1, 4, 8, 16}, []int{4, 8, 16}
	const killed = "Killed with SIGKILL after half of the bytes, then run again to the end. \"Repeated\" is the number of bytes that had arrived and were transferred a second time: at the server for a push, in files for a pull. \"Leftover\" is the size of files that do not belong to the image afterwards."
	return []scenario{
		{id: "pull-10", title: "Pull, " + large, short: "Pull " + large, input: inLarge, shape: slow, do: opPull, tried: every, largest: true, minCalls: pullCalls},
		{id: "push-10", title: "Push, " + large, short: "Push " + large, input: inLarge, shape: slow, do: opPush, tried: every, largest: true, minCalls: pushCalls},
		{id: "pull-20", title: "Pull, " + large, input: inLarge, shape: faster, do: opPull, tried: some, largest: true, minCalls: pullCalls},
		{id: "push-20", title: "Push, " + large, input: inLarge, shape: faster, do: opPush, tried: some, largest: true, minCalls: pushCalls},
		{id: "pull-loopback", title: "Pull, " + large, input: inLarge, shape: plain, do: opPull, tried: every, largest: true, minCalls: pullCalls},
		{id: "push-loopback", title: "Push, " + large, input: inLarge, shape: plain, do: opPush, tried: every, largest: true, minCalls: pushCalls},
		{id: "pull-small", title: "Pull, " + small, short: "Pull " + small, input: inSmall, shape: far, do: opPull, minCalls: pullCalls},
		{id: "push-small", title: "Push, " + small, short: "Push " + small, input: inSmall, shape: far, do: opPush, minCalls: pushCalls},
		{id: "pull-medium", title: "Pull, " + medium, short: "Pull " + medium, input: inMedium, shape: faster, do: opPull, minCalls: pullCalls},
		{id: "push-medium", title: "Push, " + medium, short: "Push " + medium, input: inMedium, shape: faster, do: opPush, minCalls: pushCalls},
		{id: "pull-index", title: "Pull, an index of 2 platforms with 5 layers of " + size(s.platform) + " each", input: inIndex, shape: faster, do: opPull, minCalls: pullCalls},
		{id: "push-index", title: "Push, an index of 2 platforms with 5 layers of " + size(s.platform) + " each", input: inIndex, shape: faster, do: opPush, minCalls: pushCalls},
		{id: "warm", title: "Push an existing image again, " + medium, short: "Push an existing image", input: inMedium, shape: faster, do: opWarm, minCalls: func(*input) int { return 1 }},
		{id: "tag", title: "Add a tag to an image", short: "Add a tag", input: inMedium, shape: faster, do: opTag, minCalls: func(*input) int { return 2 }},
		{
			id: "copy", title: "Copy to another repository of the registry, " + medium, input: inMedium, shape: faster, do: opCopy,
			note: "BLOB_MOUNTING is not enabled, as in a new account. regctl tries to mount, gets an upload instead, and cancels it with " +
				"DELETE. The ECR API has no such operation, so the local ECR refuses it, and regctl waits longer after each refusal.",
			minCalls: func(in *input) int { return pullCalls(in) + pushCalls(in) },
		},
		{
			id: "copy-mount", title: "Mount into another repository of the registry, " + medium, input: inMedium, shape: faster, do: opCopy, mounting: true,
			note:     "A copy as above, with BLOB_MOUNTING enabled.",
			minCalls: func(in *input) int { return 3 + len(in.blobs) }, // read the manifest, look what is there, mount each, put the manifest
		},
		{
			id: "copy-across", title: "Copy to another registry, " + medium, short: "Copy " + medium, input: inMedium, shape: faster, do: opCopy, two: true,
			minCalls: func(in *input) int { return pullCalls(in) + pushCalls(in) },
		},
		{
			id: "archive", title: "Push a docker-archive with 4 uncompressed layers of " + size(s.archive), short: "Push a docker-archive", input: inArchive, shape: plain, do: opArchive,
			note: "Half of the content can be removed by compression. The limit does not include the compression. skopeo keeps its compressed layers between runs, in a system-wide cache.",
		},
		{
			id: "archive-warm", title: "Push it again, unchanged", input: inArchive, shape: plain, do: opArchiveWarm,
			minCalls: func(*input) int { return 1 },
		},
		{id: "kill-pull", title: "Pull after a kill, " + large, note: killed, input: inLarge, shape: fast, do: opPull, largest: true, kill: true},
		{id: "kill-push", title: "Push after a kill, " + large, note: killed, input: inLarge, shape: fast, do: opPush, largest: true, kill: true},
	}
}

// argv is the command line of a program in a trial; nil if it cannot do that.
func (t *trial) argv() []string {
	p := t.program
	call := func(args []string) []string {
		if args == nil {
			return nil
		}
		args = append([]string{p.path}, args...)
		if t.connections > 0 {
			args = append(args, "--connections", fmt.Sprint(t.connections))
		}
		return args
	}
	switch t.do {
	case opPush, opWarm:
		return call(p.push(t.in.path, t.ref()))
	case opPull:
		return call(p.pull(t.sourceRef(), t.out))
	case opCopy:
		return call(p.copy(t.sourceRef(), t.ref()))
	case opTag:
		return call(p.tag(t.sourceRef(), t.newTag()))
	case opArchive, opArchiveWarm:
		if p.pushArchive == nil {
			return nil
		}
		return call(p.pushArchive(t.in.path, t.ref()))
	}
	return nil
}

// work is what a variant cannot avoid in a scenario.
func (s scenario) work(v variant, in *input) workload {
	w := workload{
		bytes: float64(in.bytes()), largest: float64(in.largest()), wire: 1,
		connections: v.carriers(s), rate: s.shape.speed(), latency: s.shape.latency,
	}
	rounds := (len(in.blobs) + v.program.connections - 1) / v.program.connections
	switch s.do {
	case opPush:
		w.hashed, w.roundTrips = hashedPush, tripsPush(rounds)
		if v.program.name == ours && in.largest() > partSize {
			w.wire, w.hashed = nativeWire, hashedNative
			if s.largest {
				w.connections = min(w.connections, parts(in.largest())) // a part has one
			}
		}
	case opPull:
		w.hashed, w.roundTrips = hashedPull, tripsPull(rounds)
	case opCopy:
		w.hashed, w.roundTrips = hashedPush, tripsCopy(rounds)
		if s.mounting {
			w.bytes, w.largest, w.roundTrips = 0, 0, tripsMount(rounds)
		}
	case opArchive:
		w.hashed, w.roundTrips = hashedPull, tripsPush(rounds)
	case opWarm, opArchiveWarm:
		w.bytes, w.roundTrips = 0, tripsWarm
	case opTag:
		w.bytes, w.roundTrips = 0, tripsRetag
	}
	return w
}

// moves is how many bytes of blobs have to go in requests and answers; -1 is not known.
func (s scenario) moves(in *input) int64 {
	if s.mounting {
		return 0
	}
	switch s.do {
	case opWarm, opTag, opArchiveWarm:
		return 0
	case opCopy:
		return 2 * in.bytes()
	case opArchive:
		return -1
	}
	return in.bytes()
}
