package proxy

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/ecrkit/ecrkit/transfer/content"
)

const (
	// smallManifest bounds what is read of a client before there is room for it, in bytes. It takes no more memory than
	// a connection does, and hardly any image has a longer manifest.
	smallManifest = 64 << 10
	// roomForSmall and roomForLarge bound the bytes of manifests that are handled at once. While it is decoded, each takes
	// up to ten times its size. So there is room for the largest.
	roomForSmall = 4 << 20
	roomForLarge = content.MaxManifestSize
	// roomForHosts bounds the bytes of large manifests that wait for their registries, which may take minutes: as they
	// came, and of each registry no more than the largest has.
	roomForHosts = 2 * content.MaxManifestSize
	// roomPatience is how long a client waits for room. Few try again when they are refused, and a registry may take
	// seconds for each of those before it.
	roomPatience = 4 * time.Minute
	// largeManifestTime is how long a manifest that has room may take to come: others wait for it.
	largeManifestTime = time.Minute
)

// manifestRoom bounds the memory for manifests. Large ones do not keep small ones waiting, and those of one registry not
// those of another.
type manifestRoom struct {
	small, large *semaphore.Weighted

	mu      sync.Mutex
	perHost int64                          // bytes of large ones of one registry
	hosts   map[string]*semaphore.Weighted // nil if no registry is waited for
}

// newManifestRoom returns room in which nobody waits for a registry.
func newManifestRoom() *manifestRoom {
	return &manifestRoom{small: semaphore.NewWeighted(roomForSmall), large: semaphore.NewWeighted(roomForLarge)}
}

// newHostsRoom returns room for what registries are waited for with.
func newHostsRoom() *manifestRoom {
	return &manifestRoom{small: semaphore.NewWeighted(roomForSmall), large: semaphore.NewWeighted(roomForHosts),
		perHost: content.MaxManifestSize, hosts: map[string]*semaphore.Weighted{}}
}

// host returns the room of one registry; nil if it has none of its own.
func (r *manifestRoom) host(name string) *semaphore.Weighted {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.hosts == nil {
		return nil
	}
	if r.hosts[name] == nil {
		r.hosts[name] = semaphore.NewWeighted(r.perHost)
	}
	return r.hosts[name]
}

// take waits for room for a manifest of size bytes of a registry, which the caller releases.
func (r *manifestRoom) take(ctx context.Context, host string, size int64) (release func(), err error) {
	if size <= smallManifest {
		err := waitForRoom(ctx, r.small, size)
		return func() { r.small.Release(size) }, err
	}
	own := r.host(host)
	if own != nil {
		if err := waitForRoom(ctx, own, size); err != nil {
			return nil, err
		}
	}
	if err := waitForRoom(ctx, r.large, size); err != nil {
		if own != nil {
			own.Release(size)
		}
		return nil, err
	}
	return func() {
		runtime.GC() // or the next manifest would come on top of what is left of this one
		r.large.Release(size)
		if own != nil {
			own.Release(size)
		}
	}, nil
}

// waitForRoom waits for room, but not longer than a client may wait.
func waitForRoom(ctx context.Context, room *semaphore.Weighted, n int64) error {
	waiting, cancel := context.WithTimeout(ctx, roomPatience)
	defer cancel()
	if room.Acquire(waiting, n) == nil {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return &failure{status: http.StatusTooManyRequests, code: "TOOMANYREQUESTS", retryAfter: retryLater,
		message: fmt.Sprintf("for %.0f minutes other manifests have taken all memory that the proxy has for them; try again later", roomPatience.Minutes())}
}

// receiveManifest reads a manifest that a client pushes. There is room for it until release is called.
func (h *Handler) receiveManifest(w http.ResponseWriter, r *http.Request, host string) (data []byte, release func(), err error) {
	body := &patientBody{r: r.Body, control: http.NewResponseController(w)}
	size := r.ContentLength
	if size < 0 { // it is not known
		size = content.MaxManifestSize
	}
	if size > content.MaxManifestSize {
		err = tooLongManifest()
	} else if size > smallManifest {
		release, err = h.pushedRoom.take(r.Context(), host, size)
	}
	if size > smallManifest {
		body.until = time.Now().Add(largeManifestTime)
	}
	if err != nil {
		return nil, nil, body.refuse(err)
	}
	if data, err = readManifest(body, r.ContentLength); err == nil && release == nil {
		release, err = h.pushedRoom.take(r.Context(), host, size)
	}
	if err != nil && release != nil {
		release()
	}
	return data, release, err
}

// readManifest reads a manifest of size bytes, or of any length if that is negative.
func readManifest(body *patientBody, size int64) (data []byte, err error) {
	if size >= 0 {
		data = make([]byte, size)
		_, err = io.ReadFull(body, data)
	} else if data, err = content.ReadLimited(body, content.MaxManifestSize); err != nil && body.err == nil {
		return nil, body.refuse(tooLongManifest())
	}
	if err != nil {
		return nil, &failure{status: http.StatusBadRequest, code: "MANIFEST_INVALID", message: body.brokenOff("manifest"), gone: isBrokenOff(body.err)}
	}
	return data, nil
}

func tooLongManifest() *failure {
	return &failure{status: http.StatusRequestEntityTooLarge, code: "MANIFEST_INVALID", message: fmt.Sprintf("a manifest has at most %d bytes", content.MaxManifestSize)}
}
