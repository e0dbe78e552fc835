package proxy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/internal/strictjson"
	"github.com/ecrkit/ecrkit/transfer/content"
)

const (
	// maxGranted bounds the manifests, the tags and the blobs each of one repository. The blobs of one manifest may be more.
	maxGranted = 20_000
	// maxGrantFile bounds the file of one repository in bytes.
	maxGrantFile = 16 << 20
	// maxGrantFiles bounds the repositories of which something is kept on disk.
	maxGrantFiles = 1000
	grantsDir     = "repositories"
)

// grant is why a manifest may be answered in a repository.
type grant struct {
	// Demand is the ID of the [ImageRequirements] that held when it was verified.
	Demand string `json:"demand,omitempty"`
	// Named is of a manifest that only a verified index names: its digest may be asked
	// for, and no tag.
	Named bool `json:"named,omitempty"`
}

// covers reports whether g is as good as other.
func (g grant) covers(other grant) bool { return g.Demand == other.Demand && (!g.Named || other.Named) }

// blobGrant is why a blob may be answered in a repository.
type blobGrant struct {
	Size   int64  // in bytes, as the manifest that names it or the registry says
	Demand string // that held for the manifest that names it
}

// grants are what one repository was found to have. A digest in the cache is answered only in
// repositories that have it: another may have other rules.
type grants struct {
	path string // "" is not kept on disk

	mu        sync.Mutex
	manifests map[digest.Digest]grant
	tags      map[string]digest.Digest
	blobs     map[digest.Digest]blobGrant
	expanded  map[digest.Digest]string // manifests whose blobs are in blobs, and their demand
	changed   bool
}

// grantFile is the form of grants on disk.
type grantFile struct {
	Repository string                   `json:"repository"`
	Manifests  map[digest.Digest]grant  `json:"manifests"`
	Tags       map[string]digest.Digest `json:"tags"`
}

// loadGrants reads what an earlier process has kept of a repository, HOST/REPOSITORY. What
// cannot be read is not known.
func loadGrants(dir, repository string) *grants {
	sum := sha256.Sum256([]byte(repository))
	g := &grants{path: filepath.Join(dir, grantsDir, hex.EncodeToString(sum[:])+".json"), manifests: map[digest.Digest]grant{},
		tags: map[string]digest.Digest{}, blobs: map[digest.Digest]blobGrant{}, expanded: map[digest.Digest]string{}}
	f, err := files.OpenOwn(g.path, os.O_RDONLY, 0)
	if err != nil {
		return g
	}
	defer f.Close()
	var kept grantFile
	if data, err := content.ReadLimited(f, maxGrantFile); err != nil || strictjson.Unmarshal(data, &kept) != nil || kept.Repository != repository {
		return g
	}
	maps.Copy(g.manifests, kept.Manifests)
	maps.Copy(g.tags, kept.Tags)
	return g
}

// save writes what has changed.
func (g *grants) save(repository string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.changed {
		return nil
	}
	data, err := json.Marshal(grantFile{repository, g.manifests, g.tags})
	if err != nil {
		return err
	}
	g.changed = false
	return files.WriteFileUnsynced(g.path, data, 0o600)
}

// manifest reports whether d may be answered for the reason want.
func (g *grants) manifest(d digest.Digest, want grant) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	has, ok := g.manifests[d]
	return ok && has.covers(want)
}

// tag returns what a tag named when the registry was asked last.
func (g *grants) tag(tag string) (digest.Digest, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	d, ok := g.tags[tag]
	return d, ok
}

// setTag notes what a tag names.
func (g *grants) setTag(tag string, d digest.Digest) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.tags[tag] == d {
		return
	}
	bound(g.tags)
	g.tags[tag], g.changed = d, true
}

// add grants the manifest m and what it names. What m is has been checked.
func (g *grants) add(m content.Manifest, why grant) {
	named, err := content.DecodeManifest(m.Content, m.Descriptor.MediaType)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.put(m.Descriptor.Digest, why)
	if err != nil {
		return
	}
	for _, d := range named.Manifests {
		g.put(d.Digest, grant{why.Demand, true})
	}
	if len(g.blobs)+len(named.Blobs) > maxGranted { // not in the middle of the blobs of one image
		clear(g.blobs)
		clear(g.expanded)
	}
	g.expanded[m.Descriptor.Digest] = why.Demand
	for _, d := range named.Blobs {
		g.blobs[d.Digest] = blobGrant{d.Size, why.Demand}
	}
}

// blob returns why a blob may be answered.
func (g *grants) blob(d digest.Digest) (blobGrant, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	b, ok := g.blobs[d]
	return b, ok
}

// addBlob notes that the repository has a blob that no granted manifest names.
func (g *grants) addBlob(d digest.Digest, size int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, ok := g.blobs[d]; !ok {
		if bound(g.blobs) {
			clear(g.expanded)
		}
		g.blobs[d] = blobGrant{Size: size}
	}
}

// forgetBlob forgets the size of a blob, which was found to be another.
func (g *grants) forgetBlob(d digest.Digest) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.blobs, d)
}

// unread returns at most n manifests that are granted under a demand, and of which it is not
// known what they name.
func (g *grants) unread(demand string, n int) (found []digest.Digest) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for d, why := range g.manifests {
		if read, ok := g.expanded[d]; why.Demand == demand && (!ok || read != demand) && len(found) < n {
			found = append(found, d)
		}
	}
	return found
}

func (g *grants) put(d digest.Digest, why grant) {
	if has, ok := g.manifests[d]; ok && has.covers(why) {
		return
	}
	if bound(g.manifests) {
		clear(g.expanded)
	}
	g.manifests[d], g.changed = why, true
}

// drop forgets a manifest that the repository does not have any more.
func (g *grants) drop(d digest.Digest) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.manifests, d)
	g.changed = true
}

// bound empties what has grown too large, and reports whether it did: it is asked for again.
func bound[K comparable, V any](m map[K]V) bool {
	full := len(m) >= maxGranted
	if full {
		clear(m)
	}
	return full
}

// pruneGrants removes the files of the repositories that were changed longest ago.
func pruneGrants(dir string) error {
	found, err := os.ReadDir(filepath.Join(dir, grantsDir))
	if err != nil {
		return err
	}
	changed := map[string]time.Time{}
	for _, f := range found {
		info, err := f.Info()
		if err != nil {
			return err
		}
		name, isGrants := strings.CutSuffix(f.Name(), ".json")
		switch {
		case isGrants && len(name) == hex.EncodedLen(sha256.Size):
			changed[f.Name()] = info.ModTime()
		case strings.HasPrefix(f.Name(), files.TempPrefix): // a killed proxy left it
			changed[f.Name()] = time.Time{}
		}
	}
	names := slices.SortedFunc(maps.Keys(changed), func(a, b string) int { return changed[b].Compare(changed[a]) })
	for i, name := range names {
		if i < maxGrantFiles && !changed[name].IsZero() {
			continue
		}
		if err := os.Remove(filepath.Join(dir, grantsDir, name)); err != nil {
			return err
		}
	}
	return nil
}
