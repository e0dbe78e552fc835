package proxy

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// The text format of Prometheus, https://prometheus.io/docs/instrumenting/exposition_formats/. The library of Prometheus
// would take 2 MiB of memory in each process of ecrkit, for the whole numbers that the proxy shows.

const expositionType = "text/plain; version=0.0.4; charset=utf-8"

// metric is a metric that is shown.
type metric struct {
	name, help, kind string
	samples          func() []sample
}

// sample is a value of a metric. labels is empty or as it is written, in braces.
type sample struct {
	labels string
	value  int64
}

func unlabelled(value func() int64) func() []sample {
	return func() []sample { return []sample{{value: value()}} }
}

// exposition writes metrics. It leaves out those without a sample.
func exposition(all []metric) []byte {
	var out bytes.Buffer
	for _, m := range all {
		samples := m.samples()
		if len(samples) == 0 {
			continue
		}
		fmt.Fprintf(&out, "# HELP %s %s\n# TYPE %s %s\n", m.name, escapedHelp(m.help), m.name, m.kind)
		for _, s := range samples {
			fmt.Fprintf(&out, "%s%s %d\n", m.name, s.labels, s.value)
		}
	}
	return out.Bytes()
}

func escapedHelp(text string) string {
	return strings.NewReplacer(`\`, `\\`, "\n", `\n`).Replace(text)
}

func escapedLabel(value string) string {
	return strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`).Replace(value)
}

// labelled counts by the values of labels.
type labelled struct {
	labels []string
	mu     sync.Mutex
	counts map[string]int64 // by the labels as they are written
}

func newLabelled(labels ...string) *labelled {
	return &labelled{labels: labels, counts: map[string]int64{}}
}

// inc adds one to the count of the values, which are as many as the labels.
func (l *labelled) inc(values ...string) {
	pairs := make([]string, len(l.labels))
	for n, label := range l.labels {
		pairs[n] = label + `="` + escapedLabel(values[n]) + `"`
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts["{"+strings.Join(pairs, ",")+"}"]++
}

func (l *labelled) samples() []sample {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]sample, 0, len(l.counts))
	for _, labels := range slices.Sorted(maps.Keys(l.counts)) {
		all = append(all, sample{labels, l.counts[labels]})
	}
	return all
}
