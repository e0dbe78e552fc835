//go:build trial && unix

package tokenstore

import "testing"

// R18: whenever a writer is killed, a whole token is there.
func TestTrialKilledWriter(t *testing.T) { killWriters(t, 100) }
