package parts

import (
	"testing"
	"time"

	"context"
)

// TestMemoryIsBounded takes parts of many sizes: the buffers have no more bytes than the budget and one part.
func TestMemoryIsBounded(t *testing.T) {
	const budget = 40 << 20
	m := NewMemoryOf(budget)
	for i := range 2000 {
		n := int64(1+i*7919%20) << 20
		if i%3 == 0 {
			n = int64(1 + i)
		}
		buffer, release, err := m.Get(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		if int64(len(buffer)) != n {
			t.Fatalf("%d bytes, want %d", len(buffer), n)
		}
		if m.buffers.held > budget {
			t.Fatalf("%d bytes are held", m.buffers.held)
		}
		release()
	}
	buffer, release, _ := m.Get(t.Context(), 8<<20)
	release()
	again, release, _ := m.Get(t.Context(), 6<<20)
	if &buffer[0] != &again[0] {
		t.Error("a free buffer is not used again")
	}
	release()
	if _, _, err := m.Get(t.Context(), minPartMemory); err != nil {
		t.Error(err)
	}
	full, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, _, err := m.Get(full, budget); err == nil {
		t.Error("more than the budget")
	}
}
