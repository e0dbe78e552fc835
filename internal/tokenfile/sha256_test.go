package tokenfile

import (
	"crypto/sha256"
	"math/rand/v2"
	"testing"
)

func TestSum256(t *testing.T) {
	random := rand.NewChaCha8([32]byte{1})
	message := make([]byte, 2000)
	for size := range message {
		_, _ = random.Read(message[:size])
		if got, want := sum256(message[:size]), sha256.Sum256(message[:size]); got != want {
			t.Fatalf("%d bytes: %x, want %x", size, got, want)
		}
	}
}

func FuzzSum256(f *testing.F) {
	f.Add([]byte("abc"))
	f.Fuzz(func(t *testing.T, message []byte) {
		if sum256(message) != sha256.Sum256(message) {
			t.Fatalf("the hash of %q is not SHA-256", message)
		}
	})
}

func BenchmarkSum256(b *testing.B) {
	message := make([]byte, 4096)
	b.SetBytes(int64(len(message)))
	for b.Loop() {
		sum256(message)
	}
}
