package transfer

import "github.com/ecrkit/ecrkit/transfer/internal/parts"

// PartMemory is the memory for parts of blobs that are in no file. Copies that share one wait for each other when it is in
// use. It is safe for concurrent use.
type PartMemory struct{ memory *parts.Memory }

// NewPartMemory returns memory of so many bytes: at least 20 MiB, for the largest part.
func NewPartMemory(bytes int64) *PartMemory { return &PartMemory{parts.NewMemoryOf(bytes)} }

// parts returns the memory itself, that of one copy if there is none.
func (m *PartMemory) parts() *parts.Memory {
	if m == nil {
		return parts.NewMemory()
	}
	return m.memory
}
