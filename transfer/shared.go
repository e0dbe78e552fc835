package transfer

import (
	"context"
	"slices"
	"sync"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// SharedBlobs has a blob that several repositories of a registry need sent there once. The first copy that misses it
// sends it. The others wait until its image is stored, because Amazon ECR mounts only what an image names, and then have the
// registry mount it from there. If the registry does not, they read it from there in place of the source, unless
// the source is a file of this machine.
//
// It is for copies at the same time and one after the other, see [Options].Shared, and safe for concurrent use.
// [NewSharedBlobs] makes one.
type SharedBlobs struct {
	mu         sync.Mutex
	blobs      map[sharedKey]*sharedBlob
	registries map[string]*sharingRegistry
	expecting  map[string]bool // repositories with expected blobs
	changed    chan struct{}   // is closed when anything has changed, and replaced
}

// NewSharedBlobs returns what is shared by copies that have not begun.
func NewSharedBlobs() *SharedBlobs {
	return &SharedBlobs{blobs: map[sharedKey]*sharedBlob{}, registries: map[string]*sharingRegistry{}, expecting: map[string]bool{}, changed: make(chan struct{})}
}

type sharedKey struct {
	registry string
	digest   digest.Digest
}

// sharedBlob is a blob in a registry.
type sharedBlob struct {
	stored  content.Target // the first repository with an image that names the blob; nil if there is none yet
	owner   *delivery      // which sends it
	waiting []*delivery    // for the owner, in the order in which they claimed it
	// expected is the repository that was sent the blob, and is still to get the image that names it; "" if there is none.
	expected string
}

// sharingRegistry is what is known of a registry.
type sharingRegistry struct {
	mounts, refuses bool // it mounted a blob, or refused to
	unreadable      bool // a blob could not be read there
}

// useless reports whether waiting for a blob has no purpose.
func (r *sharingRegistry) useless(from supply) bool {
	return r.refuses && !r.mounts && (from == inFile || from == inSource && r.unreadable)
}

// supply is how the source of a copy has a blob that other copies share.
type supply int

const (
	inSource  supply = iota // to be read from somewhere else
	inFile                  // of this machine
	elsewhere               // not at all: a repository of the destination has it, see [content.PartialSource]
)

// supplyOf returns how src has a blob.
func supplyOf(src content.Source, d content.Descriptor) supply {
	if partial, ok := src.(content.PartialSource); ok && !partial.HasBlob(d) {
		return elsewhere
	}
	if _, ok := src.(content.FileReader); ok {
		return inFile
	}
	return inSource
}

// Stored notes blobs of images that a repository has. Copies to other repositories of its registry take them from there.
func (s *SharedBlobs) Stored(target content.Target, blobs []digest.Digest) {
	s.add(target, blobs, func() *sharedBlob { return &sharedBlob{stored: target} })
}

// Expect notes blobs that a repository has got, and of which a copy is still to store the image. Amazon ECR does not mount
// or return them before. Copies to other repositories of the registry wait until one has, or until [SharedBlobs.Ended].
//
// So that no two wait for each other, copies to repositories of which blobs are expected wait for nothing but such blobs, and the
// caller begins them in an order in which each waits only for those before it.
func (s *SharedBlobs) Expect(target content.Target, blobs []digest.Digest) {
	s.mu.Lock()
	s.expecting[target.String()] = true
	s.mu.Unlock()
	s.add(target, blobs, func() *sharedBlob { return &sharedBlob{expected: target.String()} })
}

func (s *SharedBlobs) add(target content.Target, blobs []digest.Digest, made func() *sharedBlob) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range blobs {
		if key := (sharedKey{registryOf(target), d}); key.registry != "" && s.blobs[key] == nil {
			s.blobs[key] = made()
		}
	}
}

// Ended notes that no more copies to a repository come: what was expected there and is not stored yet is not waited for.
func (s *SharedBlobs) Ended(target content.Target) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.expecting[target.String()] {
		return
	}
	delete(s.expecting, target.String())
	defer s.wake()
	for key, b := range s.blobs {
		if b.expected != target.String() || key.registry != registryOf(target) {
			continue
		}
		b.expected = ""
		if b.stored == nil && b.owner == nil {
			s.pass(key, b)
		}
	}
}

// pass makes the one that has waited longest the owner of a blob.
func (s *SharedBlobs) pass(key sharedKey, b *sharedBlob) {
	if len(b.waiting) == 0 {
		delete(s.blobs, key)
		return
	}
	b.owner, b.waiting = b.waiting[0], b.waiting[1:]
}

// registryOf returns the registry of an endpoint, "" if it is in none.
func registryOf(endpoint any) string {
	if r, ok := endpoint.(content.RegistryRepository); ok {
		return r.Registry()
	}
	return ""
}

// rounds divides deliveries: those after the first one to a registry take from that what they share. In the registry of the
// source, all take it from there.
func (s *SharedBlobs) rounds(src content.Source, all []*delivery) (rounds [][]*delivery) {
	if s == nil {
		return [][]*delivery{all}
	}
	seen := map[string]int{}
	for _, t := range all {
		registry, round := registryOf(t.Target), 0
		if registry != "" && registry != registryOf(src) {
			round = seen[registry]
			seen[registry]++
		}
		for len(rounds) <= round {
			rounds = append(rounds, nil)
		}
		rounds[round] = append(rounds[round], t)
	}
	return rounds
}

// claim divides the blobs that deliveries of one copy miss into those that it sends and those that it waits for. All
// are claimed at one time, so that a copy waits only for copies that claimed before it, and none for each other. What is
// in the registry of the source is mounted from there.
func (s *SharedBlobs) claim(src content.Source, all []*delivery) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range alive(all) {
		registry := registryOf(t.Target)
		if registry == "" || registry == registryOf(src) {
			continue
		}
		if s.registries[registry] == nil {
			s.registries[registry] = &sharingRegistry{}
		}
		t.shared = map[digest.Digest]*sharedBlob{}
		for _, d := range t.all {
			if !t.missing[d.Digest] || content.IsForeign(d.MediaType) {
				continue
			}
			key := sharedKey{registry, d.Digest}
			b := s.blobs[key]
			switch {
			case b == nil:
				s.blobs[key] = &sharedBlob{owner: t}
				continue
			case b.owner == t:
				continue
			case b.expected == t.Target.String() && b.stored == nil: // it is not there any more
				b.owner, b.expected = t, ""
				continue
			case b.stored == nil && b.expected == "" && s.expecting[t.Target.String()]:
				continue // it sends the blob too
			case b.stored == nil:
				b.waiting = append(b.waiting, t)
			}
			t.shared[d.Digest] = b
		}
	}
}

// wait returns the repository that a delivery takes a blob from; nil is the source of the copy.
func (s *SharedBlobs) wait(ctx context.Context, t *delivery, d digest.Digest, from supply) (content.Target, error) {
	b := t.shared[d]
	for {
		s.mu.Lock()
		useless, changed := s.registries[registryOf(t.Target)].useless(from), s.changed
		stored, mine := b.stored, b.owner == t
		s.mu.Unlock()
		switch {
		case useless, mine:
			return nil, nil
		case stored != nil:
			return stored, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// note remembers how a blob came from another repository: whether it was mounted, and if not, whether it could be read there.
func (s *SharedBlobs) note(t *delivery, mounted, unreadable bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.registries[registryOf(t.Target)]
	before := *r
	r.mounts, r.refuses, r.unreadable = r.mounts || mounted, r.refuses || !mounted, r.unreadable || unreadable
	if *r != before {
		s.wake()
	}
}

// wake has those that wait look again.
func (s *SharedBlobs) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// settle ends the claims of deliveries. What they have stored is there for others; what they have not is sent by
// the next that needs it.
func (s *SharedBlobs) settle(all []*delivery) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.wake()
	for _, t := range all {
		registry := registryOf(t.Target)
		if registry == "" {
			continue
		}
		stored := t.there || t.arrived
		for _, d := range t.all {
			key := sharedKey{registry, d.Digest}
			b := s.blobs[key]
			switch {
			case b == nil && stored:
				s.blobs[key] = &sharedBlob{stored: t.Target}
			case b == nil:
			case stored && b.stored == nil:
				b.stored, b.owner, b.waiting, b.expected = t.Target, nil, nil, ""
			default:
				s.leave(key, b, t)
			}
		}
	}
}

// leave ends the claim of a delivery that did not store the blob.
func (s *SharedBlobs) leave(key sharedKey, b *sharedBlob, t *delivery) {
	b.waiting = slices.DeleteFunc(b.waiting, func(other *delivery) bool { return other == t })
	if b.owner == t {
		b.owner = nil
	}
	if b.stored == nil && b.owner == nil && b.expected == "" {
		s.pass(key, b)
	}
}
