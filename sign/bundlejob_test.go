package sign

import (
	"bytes"
	"errors"
	"testing"
)

// memoryStore is a memory to which nothing can be written.
type memoryStore struct {
	*memory
	unwritable
}

type unwritable struct{ Store }

// TestSignReadsNoGiants has bundles at an image that are far larger than the one that is
// looked for: somebody else's, and not read.
func TestSignReadsNoGiants(t *testing.T) {
	m, by := newMemory(), newTestKey(t, "A")
	image := m.image("image")
	giant := m.put(bundleMediaType, bytes.Repeat([]byte(" "), 1<<20))
	m.fail["blob "+string(giant.Digest)] = errors.New("it was read")
	m.refer(image, bundleMediaType, bundleMediaType, nil, giant)
	mine := m.bundle(image, by.bundle(signatureOf(image, nil)))
	j := newBundleJob(memoryStore{memory: m}, image, &Signer{Key: by.Key, signer: by.signer}, signaturePredicateType, []byte("{}"), Options{})
	found, err := j.find(t.Context())
	if check(t, err); !found || j.result.Signature != mine.Digest {
		t.Errorf("found %v %s, want %s", found, j.result.Signature, mine.Digest)
	}
}
