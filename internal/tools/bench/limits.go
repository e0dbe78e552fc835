//go:build linux

package main

import (
	"crypto/sha256"
	"time"
)

// nativeWire is how many bytes a native layer part has on the wire for each byte of the layer: base64.
const nativeWire = 4.0 / 3

// rates are what one core of this machine does, in bytes per second.
type rates struct {
	SHA256 float64 `json:"sha256"`
	Cores  int     `json:"cores"`
}

// measureSHA256 is the best of some short rounds: what else runs on the machine does not count.
func measureSHA256() (best float64) {
	data := make([]byte, 1<<20)
	h := sha256.New()
	for range 16 {
		start, n := time.Now(), 0
		for time.Since(start) < 20*time.Millisecond {
			h.Write(data)
			n += len(data)
		}
		best = max(best, float64(n)/time.Since(start).Seconds())
	}
	return best
}

// A workload is what a command cannot avoid.
type workload struct {
	bytes       float64       // of blobs that have to move
	largest     float64       // of the largest blob: one hash cannot be computed by two cores
	wire        float64       // bytes on the wire for each of them
	hashed      float64       // bytes that program and server have to hash for each of them
	connections int           // over which they move
	rate        float64       // of each, in bytes per second; 0 is not capped
	roundTrips  int           // one after the other
	latency     time.Duration // of each
}

// limit is the time, in seconds, under which a workload cannot be done: the longest of what the connections,
// the hash of the largest blob, all cores together and the round trips need.
func (w workload) limit(r rates) float64 {
	network := 0.0
	if w.rate > 0 {
		network = w.wire * w.bytes / (float64(max(w.connections, 1)) * w.rate)
	}
	hash, cpu := 0.0, 0.0
	if w.hashed > 0 {
		hash = w.largest / r.SHA256
		cpu = w.hashed * w.bytes / (r.SHA256 * float64(max(r.Cores, 1)))
	}
	return max(network, hash, cpu, float64(w.roundTrips)*w.latency.Seconds())
}

// Bytes hashed for each byte moved. Pulling, the program hashes; pushing, the program and the server; by native
// parts both also hash the request, for its signature.
const (
	hashedPull   = 1
	hashedPush   = 2
	hashedNative = hashedPush + 2*nativeWire
)

// Round trips that follow one another, the connections' own included. rounds is how many blobs each connection
// carries, one after the other.

// tripsPush are: connect, look what is there, begin and send each blob, put the manifest.
func tripsPush(rounds int) int { return 3 + 2*rounds }

// tripsPull are: connect, read the manifest, ask where the first blob is, connect there, read each blob.
func tripsPull(rounds int) int { return 4 + rounds }

// tripsCopy are: connect, read the manifest, look what is there, ask where the first blob is, connect there, begin
// and send each blob, put the manifest.
func tripsCopy(rounds int) int { return 6 + 2*rounds }

// tripsMount are: connect, read the manifest, look what is there, mount each blob, put the manifest.
func tripsMount(rounds int) int { return 4 + rounds }

const (
	tripsWarm  = 2 // connect, look whether the image is there
	tripsRetag = 3 // connect, read the manifest, put it
)

// partSize is what Amazon ECR asks for: layers above it go by parts.
const partSize = 10 << 20

// pushCalls is the minimum of calls to push what is not there: one for a hundred digests to see that, two for a
// blob of one part, two and one a part for a larger one, one a manifest.
func pushCalls(in *input) int {
	calls := (len(in.blobs)+99)/100 + in.manifests
	for _, b := range in.blobs {
		calls += 2
		if b.Size > partSize {
			calls += parts(b.Size)
		}
	}
	return calls
}

// parts is how many parts a layer has.
func parts(size int64) int { return int((size + partSize - 1) / partSize) }

// pushCallsV2 is the minimum of calls to push by /v2/ alone, but for looking what is there.
func pushCallsV2(in *input) int { return (len(in.blobs)+99)/100 + in.manifests + 2*len(in.blobs) }

// pullCalls is the minimum of calls to pull: the manifest, all those that it names at once, and a URL a blob.
func pullCalls(in *input) int {
	calls := 1 + len(in.blobs)
	if in.manifests > 1 {
		calls++
	}
	return calls
}
