package proxy

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/ecrkit/ecrkit/transfer/content"
)

const (
	// smallManifest bounds what is read of a client before there is room for it, in bytes. It takes no more memory than
	// a connection does, and hardly any image has a longer manifest.
	smallManifest = 64 << 10
	// roomForSmall and roomForLarge bound the bytes of manifests that are handled at once. Each takes up to ten times its
	// size: as it came, in the requests to the registry and their answers, and decoded. So there is room for the largest.
	roomForSmall = 4 << 20
	roomForLarge = content.MaxManifestSize
	// roomPatience is how long a client waits for room. Few try again when they are refused, and a registry may take
	// seconds for each of those before it.
	roomPatience = 4 * time.Minute
	// largeManifestTime is how long a manifest that has room may take to come: others wait for it.
	largeManifestTime = time.Minute
)

// manifestRoom bounds the memory for manifests. Large ones do not keep small ones waiting.
type manifestRoom struct{ small, large *semaphore.Weighted }

func newManifestRoom() manifestRoom {
	return manifestRoom{semaphore.NewWeighted(roomForSmall), semaphore.NewWeighted(roomForLarge)}
}

// take waits for room for a manifest of size bytes, which the caller releases.
func (r manifestRoom) take(ctx context.Context, size int64) (release func(), err error) {
	room := r.large
	if size <= smallManifest {
		room = r.small
	}
	waiting, cancel := context.WithTimeout(ctx, roomPatience)
	defer cancel()
	if err := room.Acquire(waiting, size); err == nil {
		return func() {
			if size > smallManifest {
				runtime.GC() // or the next manifest would come on top of what is left of this one
			}
			room.Release(size)
		}, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return nil, &failure{status: http.StatusTooManyRequests, code: "TOOMANYREQUESTS", retryAfter: retryLater,
		message: fmt.Sprintf("for %.0f minutes other manifests have taken all memory that the proxy has for them; try again later", roomPatience.Minutes())}
}

// receiveManifest reads a manifest that a client pushes. There is room for it until release is called.
func (h *Handler) receiveManifest(w http.ResponseWriter, r *http.Request) (data []byte, release func(), err error) {
	body := &patientBody{r: r.Body, control: http.NewResponseController(w)}
	size := r.ContentLength
	if size < 0 { // it is not known
		size = content.MaxManifestSize
	}
	if size > content.MaxManifestSize {
		err = tooLongManifest()
	} else if size > smallManifest {
		release, err = h.pushedRoom.take(r.Context(), size)
	}
	if size > smallManifest {
		body.until = time.Now().Add(largeManifestTime)
	}
	if err != nil {
		return nil, nil, body.refuse(err)
	}
	if data, err = readManifest(body, r.ContentLength); err == nil && release == nil {
		release, err = h.pushedRoom.take(r.Context(), size)
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
