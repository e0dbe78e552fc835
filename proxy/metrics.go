package proxy

import (
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are what /metrics shows. Labels have few values: no name of an image is among them.
type metrics struct {
	handler       http.Handler
	requests      *prometheus.CounterVec // by kind, method and status
	sentBytes     prometheus.Counter
	upstreamBytes prometheus.Counter
	cache         *prometheus.CounterVec // by kind and result
	refused       prometheus.Counter
}

// newMetrics returns the metrics of h in a registry of their own.
func newMetrics(h *Handler) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ecrkit_proxy_requests_total", Help: "Requests of clients, by kind of path, method and status.",
		}, []string{"kind", "method", "status"}),
		cache: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ecrkit_proxy_cache_requests_total", Help: "Manifests and blobs that were asked for by digest, by whether the cache had them.",
		}, []string{"kind", "result"}),
		sentBytes:     counter("ecrkit_proxy_sent_bytes_total", "Bytes of answers to clients, without headers."),
		upstreamBytes: counter("ecrkit_proxy_upstream_bytes_total", "Bytes of blobs that registries sent."),
		refused:       counter("ecrkit_proxy_refused_images_total", "Images that the policy refused, or that could not be verified."),
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(m.requests, m.cache, m.sentBytes, m.upstreamBytes, m.refused,
		gauge("ecrkit_proxy_cache_bytes", "Bytes of the cache, with what is reserved for blobs on their way.", func() float64 { used, _, _ := h.cache.usage(); return float64(used) }),
		gauge("ecrkit_proxy_cache_limit_bytes", "Most bytes that the cache keeps.", func() float64 { return float64(h.cache.max) }),
		gauge("ecrkit_proxy_cache_entries", "Blobs and manifests in the cache.", func() float64 { _, n, _ := h.cache.usage(); return float64(n) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "ecrkit_proxy_cache_corrupt_total", Help: "Entries of the cache whose bytes had changed."},
			func() float64 { _, _, n := h.cache.usage(); return float64(n) }),
		gauge("ecrkit_proxy_requests_in_progress", "Requests that are being answered.", func() float64 { return float64(h.answering.Load()) }),
		gauge("ecrkit_proxy_fetches", "Blobs on their way into the cache.", func() float64 { n, _ := h.following(); return float64(n) }),
		gauge("ecrkit_proxy_followers", "Clients that read blobs on their way into the cache.", func() float64 { _, n := h.following(); return float64(n) }),
	)
	registry.MustRegister(gauge("ecrkit_proxy_waiting_requests", "Requests of clients, and blobs on their way, that wait for a registry which refuses.", func() float64 { return float64(h.waits.count()) }))
	m.handler = promhttp.HandlerFor(registry, promhttp.HandlerOpts{DisableCompression: true})
	return m
}

func (m *metrics) cacheHit(kind string) { m.cache.WithLabelValues(kind, "hit").Inc() }

func (m *metrics) cacheMiss(kind string) { m.cache.WithLabelValues(kind, "miss").Inc() }

// request counts a request that was answered. Methods of strangers are one.
func (m *metrics) request(kind, method string, a *answer) {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
	default:
		method = "other"
	}
	m.requests.WithLabelValues(kind, method, strconv.Itoa(a.status)).Inc()
	m.sentBytes.Add(float64(a.bytes))
}
