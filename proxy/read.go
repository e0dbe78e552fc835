package proxy

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// writeJSON answers with a small document.
func writeJSON(w http.ResponseWriter, r *http.Request, mediaType string, data []byte) {
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(data) // a client that has gone needs no answer
	}
}

// listed opens a repository of which lists are answered: none of one from which the policy takes no image.
func (h *Handler) listed(ctx context.Context, t target) (content.Source, error) {
	repo := h.repository(t)
	if _, err := h.demand(ctx, repo); err != nil {
		return nil, err
	}
	return h.source(ctx, repo)
}

// tags answers with the tags: those behind the parameter last, n at most.
func (h *Handler) tags(w http.ResponseWriter, r *http.Request, t target) error {
	src, err := h.listed(r.Context(), t)
	if err != nil {
		return err
	}
	lister, ok := src.(content.TagLister)
	if !ok {
		return fmt.Errorf("%s: %w: it lists no tags", src, content.ErrUnsupported)
	}
	tags, err := lister.Tags(r.Context())
	if err != nil {
		return err
	}
	query := r.URL.Query()
	if last := query.Get("last"); last != "" {
		i, found := slices.BinarySearch(tags, last)
		if found {
			i++
		}
		tags = tags[i:]
	}
	if n, err := strconv.Atoi(query.Get("n")); err == nil && n >= 0 && n < len(tags) {
		tags = tags[:n]
		if n > 0 {
			query.Set("last", tags[n-1])
			w.Header().Set("Link", fmt.Sprintf(`</v2/%s/tags/list?%s>; rel="next"`, t.name, query.Encode()))
		}
	}
	data, err := json.Marshal(struct {
		Name string   `json:"name"`
		Tags []string `json:"tags"`
	}{t.name, append([]string{}, tags...)})
	if err != nil {
		return err
	}
	writeJSON(w, r, "application/json", data)
	return nil
}

// referrers answers with what refers to a manifest, of one artifact type if that is asked for.
func (h *Handler) referrers(w http.ResponseWriter, r *http.Request, t target) error {
	src, err := h.listed(r.Context(), t)
	if err != nil {
		return err
	}
	lister, ok := src.(content.ReferrerLister)
	if !ok {
		return fmt.Errorf("%s: %w: it lists no referrers", src, content.ErrUnsupported)
	}
	found, err := lister.Referrers(r.Context(), digest.Digest(t.reference))
	if err != nil {
		return err
	}
	if artifactType := r.URL.Query().Get("artifactType"); artifactType != "" {
		found = slices.DeleteFunc(found, func(d content.Descriptor) bool { return d.ArtifactType != artifactType })
		w.Header().Set("OCI-Filters-Applied", "artifactType")
	}
	data, err := json.Marshal(ocispec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: append([]content.Descriptor{}, found...),
	})
	if err != nil {
		return err
	}
	writeJSON(w, r, ocispec.MediaTypeImageIndex, data)
	return nil
}
