package parts

import (
	"golang.org/x/sync/semaphore"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// Single returns an upload for which nobody waits but the caller.
func Single() content.Upload { return Complete(content.Upload{}) }

// Complete returns u with what stands for the fields that are not set.
func Complete(u content.Upload) content.Upload {
	ignore := func(int64) {}
	u.Connections = max(u.Connections, 1)
	if u.Slots == nil {
		u.Slots = semaphore.NewWeighted(int64(u.Connections))
	}
	if u.Sent == nil {
		u.Sent = ignore
	}
	if u.Resumed == nil {
		u.Resumed = ignore
	}
	if u.Mounted == nil {
		u.Mounted = func() {}
	}
	return u
}
