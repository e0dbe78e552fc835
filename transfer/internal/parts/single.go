package parts

import (
	"golang.org/x/sync/semaphore"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// Single returns an upload for which nobody waits but the caller.
func Single() content.Upload {
	ignore := func(int64) {}
	return content.Upload{Connections: 1, Slots: semaphore.NewWeighted(1), Sent: ignore, Resumed: ignore, Mounted: func() {}}
}
