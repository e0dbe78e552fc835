package media

import (
	"archive/tar"
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/mirror"
	"github.com/ecrkit/ecrkit/mirror/inventory"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// block is the unit of a tar, in bytes: headers and contents are padded to it.
const block = 512

// member is a file of the tar.
type member struct {
	digest digest.Digest // of the content
	at     int64         // where the header begins
	size   int64         // of the content
	header int64         // size of the header, which is made when it is needed: a set may have some hundred thousand members
	file   *file         // nil if it is a blob
}

// file is a file beside the blobs, whose content is known before. That of many images is large, so it is made when it is needed.
type file struct {
	name  string
	write func(w io.Writer) error
}

// newFile returns a member that is no blob.
func newFile(name string, content []byte) *member {
	return &member{size: int64(len(content)), digest: digest.FromBytes(content), file: &file{name, func(w io.Writer) error { _, err := w.Write(content); return err }}}
}

// newWrittenFile is newFile of a content that write writes, the same each time.
func newWrittenFile(name string, write func(w io.Writer) error) (*member, error) {
	sum := newSum()
	err := write(&sum)
	return &member{size: sum.size, digest: sum.digest(), file: &file{name, write}}, err
}

// name is the name of the file in the tar.
func (m *member) name() string {
	if m.file != nil {
		return m.file.name
	}
	return blobName(m.digest)
}

// head returns the header.
func (m *member) head() ([]byte, error) { return headerOf(m.name(), m.size) }

// first is where the content begins.
func (m *member) first() int64 { return m.at + m.header }

// end is where the next member begins.
func (m *member) end() int64 { return m.first() + (m.size+block-1)/block*block }

// plan is a tar whose contents are known by their digests.
type plan struct {
	images  []Image
	needs   []RequiredBlob
	deltas  []Delta
	members []*member // in their order
	blobs   map[digest.Digest]*member
	size    int64
	layout  int64 // size without the description of a set in one file
	id      digest.Digest
	head    int // see [Set]
}

// smallBlob is the largest blob that counts as the head of a set, in bytes: configs, signatures.
const smallBlob = 64 << 10

// collection is what goes into a set.
type collection struct {
	images    map[string]*Image // by repository and digest
	manifests map[digest.Digest][]byte
	blobs     map[digest.Digest]content.Descriptor
	users     map[digest.Digest][]string // names of the repositories that have a blob, see usersOf
	from      map[digest.Digest]string   // repository of the source that has a blob
	deltas    []Delta                    // of layers that were taken out of blobs

	there inventory.Holdings
	// known are the manifests of images that the destination has as a whole.
	known map[digest.Digest]*knownManifest
}

// newCollection returns a collection without images, for a destination that has what the inventories say.
func newCollection(inventories []inventory.Inventory) *collection {
	return &collection{there: inventory.NewHoldings(inventories), known: map[digest.Digest]*knownManifest{}, images: map[string]*Image{}, manifests: map[digest.Digest][]byte{}, blobs: map[digest.Digest]content.Descriptor{},
		users: map[digest.Digest][]string{}, from: map[digest.Digest]string{}}
}

// add adds an image with its tags, and what belongs to it. It reports whether the destination has all of it, so that nothing is to
// be copied.
func (c *collection) add(repository, name string, selected mirror.SelectedImage, contents transfer.Contents) (known bool, err error) {
	known = hasImage(c.there, name, contents)
	for _, blob := range contents.Blobs {
		if other, known := c.blobs[blob.Digest]; known && other.Size != blob.Size {
			return false, fmt.Errorf("%w: %s has %d bytes in one manifest of %s and %d in another", content.ErrIntegrity, blob.Digest, blob.Size, repository, other.Size)
		}
		c.blobs[blob.Digest] = blob
		c.from[blob.Digest] = repository
		if users := c.users[blob.Digest]; len(users) == 0 || users[len(users)-1] != name {
			c.users[blob.Digest] = append(users, name)
		}
	}
	attached := map[digest.Digest][]string{}
	for _, m := range contents.Attached {
		attached[m.Descriptor.Digest] = append(attached[m.Descriptor.Digest], m.Tag)
	}
	for _, m := range contents.Manifests {
		if known {
			c.know(name, m.Descriptor)
		} else {
			c.manifests[m.Descriptor.Digest] = m.Content
		}
		entry, subject, err := content.ReferrerOf(m)
		if err != nil {
			return false, fmt.Errorf("%s@%s: %w", repository, m.Descriptor.Digest, err)
		}
		isRoot := m.Descriptor.Digest == contents.Root.Descriptor.Digest
		if !isRoot && subject == "" && len(attached[m.Descriptor.Digest]) == 0 {
			continue // a child of an index
		}
		key := repository + "@" + string(m.Descriptor.Digest)
		image := c.images[key]
		if image == nil {
			image = &Image{Repository: repository, Name: name, Tags: []string{}, Digest: m.Descriptor.Digest,
				MediaType: m.Descriptor.MediaType, Size: m.Descriptor.Size, Subject: subject}
			if subject != "" {
				image.ArtifactType = entry.ArtifactType
			}
			if known {
				if image.ContentSize, err = contentSize(m, contents.Manifests); err != nil {
					return false, fmt.Errorf("%s@%s: %w", repository, m.Descriptor.Digest, err)
				}
			}
			c.images[key] = image
		}
		image.Tags = append(image.Tags, attached[m.Descriptor.Digest]...)
		if isRoot {
			image.Tags = append(image.Tags, selected.Tags...)
			if selected.Digest != image.Digest && (image.Original == "" || selected.Digest < image.Original) {
				image.Original = selected.Digest
			}
		}
	}
	return known, nil
}

// usersOf returns the names of the repositories that have a blob, sorted.
func (c *collection) usersOf(d digest.Digest) []string {
	users := slices.Clone(c.users[d])
	slices.Sort(users)
	return slices.Compact(users)
}

// plan decides where everything is in the tar, without what the destination has. Nothing in it depends
// on the time, the machine, or the order in which images were added.
func (c *collection) plan() (*plan, error) {
	p := &plan{images: []Image{}, blobs: map[digest.Digest]*member{}, needs: c.leaveOut(), deltas: c.deltas}
	for _, d := range c.deltas {
		for _, need := range d.Bases {
			if !slices.Contains(p.needs, need) {
				p.needs = append(p.needs, need)
			}
		}
	}
	slices.SortFunc(p.needs, compareNeeds)
	p.images = slices.Grow(p.images, len(c.images))
	for _, key := range slices.Sorted(maps.Keys(c.images)) {
		image := *c.images[key]
		slices.Sort(image.Tags)
		image.Tags = slices.Compact(image.Tags)
		if _, carried := c.manifests[image.Digest]; carried { // another image takes it along
			image.ContentSize = 0
		}
		p.images = append(p.images, image)
	}
	c.images = nil // as large, and in the plan now
	index, err := newIndexFile(p.images, len(p.deltas))
	if err != nil {
		return nil, err
	}
	ordered := c.ordered()
	p.members = slices.Grow(p.members, len(ordered)+2)
	p.members = append(p.members, newFile(ocispec.ImageLayoutFile, layoutFile), index)
	for _, blob := range ordered {
		m := &member{size: blob.size, digest: blob.digest}
		p.blobs[blob.digest] = m
		p.members = append(p.members, m)
		if blob.class != wholeBlob || blob.size <= smallBlob {
			p.head++
		}
	}
	if err := p.place(); err != nil {
		return nil, err
	}
	p.layout = p.size
	p.id, err = p.identity()
	return p, err
}

// layoutFile is the content of oci-layout.
var layoutFile = fmt.Appendf(nil, `{"imageLayoutVersion":%q}`, ocispec.ImageLayoutVersion)

// place decides where each member is.
func (p *plan) place() error {
	p.size = 0
	for _, m := range p.members {
		head, err := m.head()
		if err != nil {
			return err
		}
		m.at, m.header = p.size, int64(len(head))
		p.size = m.end()
	}
	p.size += 2 * block // the end of a tar
	return nil
}

// set is the description of the set, without its parts.
func (p *plan) set() Set {
	return Set{Version: versionOf(p.needs), ID: p.id, Size: p.layout, Parts: []SetPart{}, Images: p.images, Blobs: len(p.blobs), Needs: p.needs, Deltas: p.deltas}
}

// identity is the ID of the set: the digest of all headers and what [writeIdentity] writes.
func (p *plan) identity() (digest.Digest, error) {
	hash := sha256.New()
	for _, m := range p.members {
		head, err := m.head()
		if err != nil {
			return "", err
		}
		hash.Write(head)
	}
	err := writeIdentity(hash, p.images, len(p.deltas))
	return digest.NewDigest(digest.SHA256, hash), err
}

// The classes of blobs, in the order of a set: who reads one from a stream needs the manifests and deltas
// first.
const (
	manifestBlob = iota
	deltaBlob
	wholeBlob
)

// classified is a blob with its class.
type classified struct {
	digest digest.Digest
	size   int64
	class  int
}

// ordered returns all blobs in their order: by class, then manifests and deltas by digest, and others by
// size.
func (c *collection) ordered() (all []classified) {
	for d, m := range c.manifests {
		all = append(all, classified{d, int64(len(m)), manifestBlob})
	}
	deltas := map[digest.Digest]bool{}
	for _, d := range c.deltas {
		if !deltas[d.Delta] {
			deltas[d.Delta] = true
			all = append(all, classified{d.Delta, d.Bytes, deltaBlob})
		}
	}
	for d, blob := range c.blobs {
		if _, isManifest := c.manifests[d]; !isManifest && !deltas[d] {
			all = append(all, classified{d, blob.Size, wholeBlob})
		}
	}
	slices.SortFunc(all, func(a, b classified) int {
		size := 0
		if a.class == wholeBlob {
			size = cmp.Compare(a.size, b.size)
		}
		return cmp.Or(cmp.Compare(a.class, b.class), size, cmp.Compare(a.digest, b.digest))
	})
	return all
}

// blobName is the name of a blob in a layout.
func blobName(d digest.Digest) string {
	return ocispec.ImageBlobsDir + "/" + d.Algorithm().String() + "/" + d.Encoded()
}

// headerOf returns the header of a member as package tar writes it.
func headerOf(name string, size int64) ([]byte, error) {
	var out bytes.Buffer
	err := tar.NewWriter(&out).WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o644})
	return out.Bytes(), err
}
