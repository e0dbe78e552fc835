package proxy

import (
	"bytes"
	"net/http"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// TestMetricsFormat has the parser of Prometheus read what a proxy shows.
func TestMetricsFormat(t *testing.T) {
	t.Parallel()
	s := start(t, newUpstream(10), t.TempDir(), 1<<20)
	s.want("/stranger", http.StatusNotFound, "")
	r, body, err := s.send(http.MethodGet, "/metrics", nil)
	if err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("%v %v", r, err)
	}
	if format := expfmt.ResponseFormat(r.Header); format.FormatType() != expfmt.TypeTextPlain {
		t.Errorf("Content-Type %q", r.Header.Get("Content-Type"))
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(body))
	if err != nil {
		t.Fatalf("%v:\n%s", err, body)
	}
	// What nobody asked for by digest yet has no sample.
	if len(families) != 12 {
		t.Errorf("%d metrics:\n%s", len(families), body)
	}
	for name, f := range families {
		if f.GetHelp() == "" || len(f.GetMetric()) != 1 || f.GetType().String() != "GAUGE" && f.GetType().String() != "COUNTER" {
			t.Errorf("%s: %v", name, f)
		}
	}
	if limit := families["ecrkit_proxy_cache_limit_bytes"].GetMetric()[0].GetGauge().GetValue(); limit != 1<<20 {
		t.Errorf("a cache of %v bytes", limit)
	}
	if r, body, err := s.send(http.MethodHead, "/metrics", nil); err != nil || r.StatusCode != http.StatusOK || len(body) != 0 {
		t.Errorf("HEAD: %v %v, %d bytes", r, err, len(body))
	}
}

func TestExpositionEscapes(t *testing.T) {
	t.Parallel()
	const hostile = "a\\b\"c\n# TYPE x counter\n"
	l := newLabelled("name", "other")
	l.inc(hostile, "")
	l.inc(hostile, "")
	l.inc("z", "1")
	text := exposition([]metric{
		{name: "x_total", help: hostile, kind: "counter", samples: l.samples},
		{name: "none", help: "x", kind: "gauge", samples: newLabelled("name").samples},
	})
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil || len(families) != 1 {
		t.Fatalf("%v:\n%s", err, text)
	}
	x := families["x_total"]
	if x.GetHelp() != "a\\b\"c\n# TYPE x counter\n" || len(x.GetMetric()) != 2 {
		t.Fatalf("%v", x)
	}
	first := x.GetMetric()[0]
	if first.GetLabel()[0].GetValue() != hostile || first.GetCounter().GetValue() != 2 {
		t.Errorf("%v", first)
	}
}
