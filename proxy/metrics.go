package proxy

import (
	"net/http"
	"strconv"
	"sync/atomic"
)

// metrics are what /metrics shows. Labels have few values: no name of an image is among them.
type metrics struct {
	shown         []metric
	requests      *labelled // by kind, method and status
	sentBytes     atomic.Int64
	upstreamBytes atomic.Int64
	cache         *labelled // by kind and result
	refused       atomic.Int64
}

// newMetrics returns the metrics of h.
func newMetrics(h *Handler) *metrics {
	m := &metrics{requests: newLabelled("kind", "method", "status"), cache: newLabelled("kind", "result")}
	counter := func(name, help string, value func() int64) metric {
		return metric{name: name, help: help, kind: "counter", samples: unlabelled(value)}
	}
	gauge := func(name, help string, value func() int64) metric {
		return metric{name: name, help: help, kind: "gauge", samples: unlabelled(value)}
	}
	m.shown = []metric{
		gauge("ecrkit_proxy_cache_bytes", "Bytes of the cache, with what is reserved for blobs on their way.", func() int64 { used, _, _ := h.cache.usage(); return used }),
		counter("ecrkit_proxy_cache_corrupt_total", "Entries of the cache whose bytes had changed.", func() int64 { _, _, n := h.cache.usage(); return int64(n) }),
		gauge("ecrkit_proxy_cache_entries", "Blobs and manifests in the cache.", func() int64 { _, n, _ := h.cache.usage(); return int64(n) }),
		gauge("ecrkit_proxy_cache_limit_bytes", "Most bytes that the cache keeps.", func() int64 { return h.cache.max }),
		{name: "ecrkit_proxy_cache_requests_total", help: "Manifests and blobs that were asked for by digest, by whether the cache had them.", kind: "counter", samples: m.cache.samples},
		gauge("ecrkit_proxy_fetches", "Blobs on their way into the cache.", func() int64 { n, _ := h.following(); return int64(n) }),
		gauge("ecrkit_proxy_followers", "Clients that read blobs on their way into the cache.", func() int64 { _, n := h.following(); return int64(n) }),
		counter("ecrkit_proxy_refused_images_total", "Images that the policy refused, or that could not be verified.", m.refused.Load),
		gauge("ecrkit_proxy_requests_in_progress", "Requests that are being answered.", func() int64 { return h.answering.Load() }),
		{name: "ecrkit_proxy_requests_total", help: "Requests of clients, by kind of path, method and status.", kind: "counter", samples: m.requests.samples},
		counter("ecrkit_proxy_sent_bytes_total", "Bytes of answers to clients, without headers.", m.sentBytes.Load),
		counter("ecrkit_proxy_upstream_bytes_total", "Bytes of blobs that registries sent.", m.upstreamBytes.Load),
		gauge("ecrkit_proxy_waiting_requests", "Requests of clients, and blobs on their way, that wait for a registry which refuses.", func() int64 { return int64(h.waits.count()) }),
	}
	return m
}

func (m *metrics) cacheHit(kind string) { m.cache.inc(kind, "hit") }

func (m *metrics) cacheMiss(kind string) { m.cache.inc(kind, "miss") }

// request counts a request that was answered. Methods of strangers are one.
func (m *metrics) request(kind, method string, a *answer) {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
	default:
		method = "other"
	}
	m.requests.inc(kind, method, strconv.Itoa(a.status))
	m.sentBytes.Add(a.bytes)
}
