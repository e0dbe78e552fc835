package proxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/safetext"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// ImageRequirements is what the images of a repository must satisfy. The zero value is nothing.
type ImageRequirements struct {
	// ID names the requirements, and is not empty if Verify is set: what was verified under one is verified again under another.
	ID string
	// Verify returns why the image that m is, in src, does not satisfy them. The error wraps
	// [ErrRefused] if the image is to blame; any other means that it could not be found out.
	// Both keep the image from being answered. nil is never called.
	Verify func(ctx context.Context, src content.Source, m content.Manifest) error
}

// ErrRefused is wrapped by errors about an image that is not as required.
var ErrRefused = errors.New("refused by the policy")

const (
	// verifyTime bounds one verification.
	verifyTime = 2 * time.Minute
	// maxUnread is how many manifests are read to find out whether one of them names a blob.
	maxUnread = 64
)

// demand returns what is required in a repository.
func (h *Handler) demand(ctx context.Context, repo *repository) (ImageRequirements, error) {
	if h.options.Demand == nil {
		return ImageRequirements{}, nil
	}
	d, err := h.options.Demand(ctx, repo.host, repo.name)
	if err == nil && d.Verify != nil && d.ID == "" {
		err = errors.New("the requirements have no ID")
	}
	if err != nil {
		return ImageRequirements{}, h.refuse(ctx, repo.host+"/"+repo.name, err)
	}
	return d, nil
}

// verify grants the manifest m if it is as required, and returns it. Any number of clients share one verification. A
// large manifest is in memory only where it is verified: its clients read it again.
func (h *Handler) verify(ctx context.Context, repo *repository, m content.Manifest, demand ImageRequirements) (content.Manifest, error) {
	why := grant{Demand: demand.ID}
	if demand.Verify == nil || repo.grants.manifest(m.Descriptor.Digest, why) {
		h.grant(repo, m, why)
		return m, nil
	}
	large := len(m.Content) > smallManifest
	if large {
		m.Content = nil
		leaveRoom(ctx)
	}
	name := fmt.Sprintf("%s/%s@%s", repo.host, repo.name, m.Descriptor.Digest)
	result := h.verifying.DoChan(demand.ID+" "+name, func() (any, error) {
		if repo.grants.manifest(m.Descriptor.Digest, why) {
			return nil, nil
		}
		if !h.running.begin() {
			return nil, ending()
		}
		defer h.running.end()
		ctx, cancel := context.WithTimeout(h.life, verifyTime)
		defer cancel()
		ctx, wait, done := h.watched(ctx, repo.host, kindManifests, true)
		defer done()
		ctx, drop := h.withRoom(ctx, h.verifyRoom, repo.host)
		defer drop()
		src, err := h.source(ctx, repo)
		if err == nil && large {
			m, err = h.manifestAgain(ctx, repo, m.Descriptor.Digest)
		}
		if err == nil {
			err = wait.explain(ctx, demand.Verify(ctx, src, m))
		}
		if err == nil {
			h.grant(repo, m, why)
		}
		return nil, err
	})
	var err error
	select {
	case r := <-result:
		err = r.Err
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		return content.Manifest{}, h.refuse(ctx, name, err)
	}
	if large {
		return h.manifestAgain(ctx, repo, m.Descriptor.Digest)
	}
	return m, nil
}

// manifestAgain returns a manifest that was just read, once there is room for it.
func (h *Handler) manifestAgain(ctx context.Context, repo *repository, d digest.Digest) (content.Manifest, error) {
	if err := takeRoom(ctx, content.MaxManifestSize); err != nil {
		return content.Manifest{}, err
	}
	if m, err := h.cachedManifest(ctx, d); err == nil {
		return m, nil
	}
	return h.resolve(ctx, repo, string(d)) // the cache had no room for it
}

// refuse returns the failure of an image that is not as required, or of which that could not
// be found out; err itself if it is one.
func (h *Handler) refuse(ctx context.Context, name string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if f := (*failure)(nil); errors.As(err, &f) {
		return f
	}
	if h.life.Err() != nil { // whatever became of the verification
		return ending()
	}
	f := &failure{status: http.StatusServiceUnavailable, code: "DENIED", message: ""}
	reason := "it could not be verified: "
	if errors.Is(err, ErrRefused) {
		f.status, reason = http.StatusForbidden, ""
	}
	if !strings.Contains(err.Error(), name) {
		reason = name + ": " + reason
	}
	f.message = safetext.Line(safetext.MaskUsers(reason + err.Error()))
	h.metrics.refused.Inc()
	h.options.Logger.Warn("refused", "image", name, "status", f.status, "error", f.message)
	return f
}

// grant notes that a manifest, which h.verify or an index stands for, may be answered.
func (h *Handler) grant(repo *repository, m content.Manifest, why grant) {
	repo.grants.add(m, why)
	h.changed()
}

// grantedBlob reports whether a blob may be answered, and its size in bytes if that is known. Under
// a demand a verified manifest must name it.
func (h *Handler) grantedBlob(ctx context.Context, repo *repository, d digest.Digest) (size int64, known bool, err error) {
	demand, err := h.demand(ctx, repo)
	if err != nil {
		return 0, false, err
	}
	if b, ok := repo.grants.blob(d); ok && b.Demand == demand.ID {
		return b.Size, true, nil
	}
	// The client may have the manifests from before this proxy was started.
	ctx, drop := h.withRoom(ctx, h.readRoom, repo.host)
	defer drop()
	for _, m := range repo.grants.unread(demand.ID, maxUnread) {
		kept, err := h.cachedManifest(ctx, m)
		switch {
		case err == nil:
			h.grant(repo, kept, grant{demand.ID, true})
		case demand.Verify == nil:
			continue // the registry is asked for the blob itself
		default:
			_, err = h.manifestByDigest(ctx, repo, m, demand)
		}
		if errors.Is(err, content.ErrNotFound) {
			repo.grants.drop(m)
			continue
		}
		if err != nil {
			return 0, false, h.refuse(ctx, fmt.Sprintf("%s/%s, blob %s", repo.host, repo.name, d), err)
		}
		if b, ok := repo.grants.blob(d); ok && b.Demand == demand.ID {
			return b.Size, true, nil
		}
	}
	if demand.Verify == nil {
		return 0, false, nil
	}
	return 0, false, &failure{status: http.StatusForbidden, code: "DENIED", message: fmt.Sprintf("blob %s: no verified image of %s/%s names it; pull the image again", d, repo.host, repo.name)}
}
