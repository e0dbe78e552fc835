package proxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/calls/retry"
	"github.com/ecrkit/ecrkit/internal/imagetree"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// manifest answers with a manifest: one that a digest names from the cache, one that a tag
// names after the registry was asked.
func (h *Handler) manifest(w http.ResponseWriter, r *http.Request, t target) error {
	repo := h.repository(t)
	demand, err := h.demand(r.Context(), repo)
	if err != nil {
		return err
	}
	var m content.Manifest
	if t.isDigest() {
		m, err = h.manifestByDigest(r.Context(), repo, digest.Digest(t.reference), demand)
	} else {
		m, err = h.manifestByTag(r.Context(), w, repo, t.reference, demand)
	}
	if err != nil {
		return err
	}
	if r.Method == http.MethodGet {
		h.prepare(repo, m)
	}
	setDigest(w, m.Descriptor.Digest)
	w.Header().Set("Content-Type", m.Descriptor.MediaType)
	if len(m.Content) > smallManifest { // a client that takes it slowly does not keep it in memory
		if file, err := h.cache.open(r.Context(), m.Descriptor.Digest); err == nil {
			defer file.Close()
			m = content.Manifest{}
			leaveRoom(r.Context())
			http.ServeContent(w, r, "", time.Time{}, file)
			return nil
		}
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(m.Content))
	return nil
}

// manifestByDigest returns a manifest that was granted from the cache, any other after the
// registry was asked whether the repository has it.
func (h *Handler) manifestByDigest(ctx context.Context, repo *repository, d digest.Digest, demand ImageRequirements) (content.Manifest, error) {
	named := grant{Demand: demand.ID, Named: true} // by an index, at least
	granted := repo.grants.manifest(d, named)
	if granted {
		if m, err := h.cachedManifest(ctx, d); err == nil {
			h.metrics.cacheHit(kindManifests)
			h.grant(repo, m, named)
			return m, nil
		}
	}
	h.metrics.cacheMiss(kindManifests)
	m, err := h.resolve(ctx, repo, string(d))
	if err != nil {
		return content.Manifest{}, err
	}
	if granted {
		h.grant(repo, m, named)
		return m, nil
	}
	return h.verify(ctx, repo, m, demand)
}

// manifestByTag asks the registry what a tag names.
func (h *Handler) manifestByTag(ctx context.Context, w http.ResponseWriter, repo *repository, tag string, demand ImageRequirements) (content.Manifest, error) {
	last, known := repo.grants.tag(tag)
	known = known && h.options.OfflineTags && repo.grants.manifest(last, grant{Demand: demand.ID})
	asking, cancel := ctx, context.CancelFunc(func() {})
	if known {
		asking, cancel = context.WithTimeout(ctx, offlineAfter)
	}
	defer cancel()
	m, err := h.resolve(asking, repo, tag)
	if err != nil && known && ctx.Err() == nil && (asking.Err() != nil || unreachable(err)) {
		if m, cacheErr := h.cachedManifest(ctx, last); cacheErr == nil {
			h.options.Logger.Warn("tag", "repository", repo.host+"/"+repo.name, "tag", tag, "error", failureOf(kindManifests, err).message)
			// https://www.rfc-editor.org/rfc/rfc7234#section-5.5.1
			w.Header().Set("Warning", `110 ecrkit "Response is Stale"`)
			return m, nil
		}
	}
	if err != nil {
		return content.Manifest{}, err
	}
	if m, err = h.verify(ctx, repo, m, demand); err != nil {
		return content.Manifest{}, err
	}
	repo.grants.setTag(tag, m.Descriptor.Digest)
	h.changed()
	return m, nil
}

// offlineAfter is how long a registry may take to say what a tag names, where the last answer
// may be used instead.
const offlineAfter = 5 * time.Second

// resolve asks the registry for a manifest and keeps it.
func (h *Handler) resolve(ctx context.Context, repo *repository, reference string) (content.Manifest, error) {
	src, err := h.source(ctx, repo)
	if err != nil {
		return content.Manifest{}, err
	}
	m, err := imagetree.ResolveTyped(ctx, src, reference)
	if err != nil {
		return content.Manifest{}, err
	}
	// A document that is an image to one client and an index to another is neither.
	if m, err = content.CheckManifest(m); err != nil {
		return content.Manifest{}, fmt.Errorf("%s: %w", src, err)
	}
	h.keepManifest(m)
	return m, nil
}

// unreachable reports whether err is that of a registry which did not answer, or only with
// errors of its own.
func unreachable(err error) bool {
	var (
		gaveUp  *retry.GaveUp
		network net.Error
	)
	return errors.As(err, &gaveUp) || errors.As(err, &network)
}

// cachedManifest returns a manifest of the cache.
func (h *Handler) cachedManifest(ctx context.Context, d digest.Digest) (content.Manifest, error) {
	f, err := h.cache.open(ctx, d)
	if err != nil {
		return content.Manifest{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return content.Manifest{}, err
	}
	if err := takeRoom(ctx, info.Size()); err != nil {
		return content.Manifest{}, err
	}
	data, err := content.ReadLimited(f, content.MaxManifestSize)
	if err != nil {
		return content.Manifest{}, err
	}
	return content.CheckManifest(content.Manifest{Descriptor: content.Descriptor{Digest: d, Size: int64(len(data))}, Content: data})
}

// keepManifest puts a manifest into the cache, if that has room.
func (h *Handler) keepManifest(m content.Manifest) {
	p, err := h.cache.create(m.Descriptor, nil)
	if err == nil {
		if _, err = p.WriteAt(m.Content, 0); err != nil {
			p.discard()
		} else {
			err = p.commit()
		}
	}
	if err != nil && !errors.Is(err, errMoved) {
		h.options.Logger.Warn("cache", "digest", m.Descriptor.Digest, "error", err.Error())
	}
}
