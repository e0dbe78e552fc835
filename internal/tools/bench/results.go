//go:build linux

package main

import (
	"slices"
	"strings"

	"github.com/ecrkit/ecrkit/localecr"
)

// Results are everything that was measured; -save writes them and -render reads them.
type Results struct {
	Quick    bool          `json:"quick"` // small sizes: a test of the benchmark
	Date     string        `json:"date"`
	Seconds  float64       `json:"seconds"` // the whole run took
	Machine  machine       `json:"machine"`
	Rates    rates         `json:"rates"`
	Programs []programInfo `json:"programs"`
	Cases    []caseResult  `json:"cases"`
}

type programInfo struct {
	Name    string `json:"name"`
	Version string `json:"version"` // "" if it is not installed
}

// caseResult is one table.
type caseResult struct {
	ID       string `json:"id"`
	Title    string `json:"title"`
	Note     string `json:"note,omitempty"`
	Short    string `json:"short,omitempty"` // its title in the chart; "" is not in the chart
	Shape    string `json:"shape"`
	Kill     bool   `json:"kill,omitempty"`
	MinCalls int    `json:"minCalls,omitempty"`
	MinV2    int    `json:"minV2,omitempty"` // by /v2/ alone, where that is less
	Moves    int64  `json:"moves"`           // bytes of blobs, in requests and answers; -1 is not known
	Rows     []row  `json:"rows"`
}

// row is a program with its flags in a case.
type row struct {
	Program     string   `json:"program"`
	Connections int      `json:"connections"` // that carry the bytes of this case
	Main        bool     `json:"main"`        // ours as it is by default
	Limit       float64  `json:"limit"`       // seconds; 0 is not known
	Command     string   `json:"command"`
	Error       string   `json:"error,omitempty"` // why there is no result
	Samples     []sample `json:"samples"`
}

// sample is one run.
type sample struct {
	Wall      float64 `json:"wall"` // seconds
	CPU       float64 `json:"cpu"`
	ServerCPU float64 `json:"serverCPU"`
	RSS       int64   `json:"rss"` // bytes
	traffic
	Again int64 `json:"again,omitempty"` // after a kill: bytes that were moved a second time
	Left  int64 `json:"left,omitempty"`  // after a kill and success: bytes in files that are not of the image
}

// traffic is what the audit log says of a command.
type traffic struct {
	Calls     int   `json:"calls"`     // of the API and of /v2/
	Downloads int   `json:"downloads"` // by pre-signed URL
	In        int64 `json:"in"`        // bytes of blobs in requests, base64 included
	Out       int64 `json:"out"`       // bytes of blobs in answers
	Payload   int64 `json:"payload"`   // bytes of blobs in both, without base64

	Ops map[string]int `json:"ops"` // all of them, as the audit log names them
}

func trafficOf(calls []localecr.Call) (t traffic) {
	t.Ops = make(map[string]int)
	for _, c := range calls {
		t.Ops[c.Op]++
		if c.Endpoint == localecr.EndpointS3 {
			t.Downloads++
		} else {
			t.Calls++
		}
		switch {
		case c.Op == "UploadLayerPart":
			t.In += c.BytesIn
			t.Payload += int64(float64(c.BytesIn) / nativeWire)
		case strings.HasPrefix(c.Op, "PATCH /v2/") || strings.HasPrefix(c.Op, "PUT /v2/{name}/blobs/") || strings.HasPrefix(c.Op, "POST /v2/{name}/blobs/"):
			t.In += c.BytesIn
			t.Payload += c.BytesIn
		case c.Endpoint == localecr.EndpointS3:
			t.Out += c.BytesOut
			t.Payload += c.BytesOut
		}
	}
	return t
}

// spread is a middle value with the smallest and largest.
type spread struct{ median, low, high float64 }

func spreadOf(samples []sample, value func(sample) float64) spread {
	if len(samples) == 0 {
		return spread{}
	}
	var list []float64
	for _, s := range samples {
		list = append(list, value(s))
	}
	slices.Sort(list)
	middle := list[len(list)/2]
	if len(list)%2 == 0 {
		middle = (list[len(list)/2-1] + middle) / 2
	}
	return spread{middle, list[0], list[len(list)-1]}
}

func wall(s sample) float64 { return s.Wall }

// seconds is the median of the wall time; false if there is no result.
func (r row) seconds() (float64, bool) {
	return spreadOf(r.Samples, wall).median, r.Error == "" && len(r.Samples) > 0
}

// mainRow is ours as it is by default.
func (c caseResult) mainRow() (row, bool) {
	for _, r := range c.Rows {
		if r.Main {
			_, ok := r.seconds()
			return r, ok
		}
	}
	return row{}, false
}

// bestPeer is the fastest of the others.
func (c caseResult) bestPeer() (best row, ok bool) {
	least := 0.0
	for _, r := range c.Rows {
		s, has := r.seconds()
		if r.Program == ours || !has || ok && s >= least {
			continue
		}
		best, least, ok = r, s, true
	}
	return best, ok
}

// enough reports whether a row needs no further run: it has as many as are wanted, or one more would take its runs
// together beyond budget, in seconds.
func (r row) enough(wanted int, budget float64) bool {
	spent, longest := 0.0, 0.0
	for _, s := range r.Samples {
		spent, longest = spent+s.Wall, max(longest, s.Wall)
	}
	return r.Error != "" || len(r.Samples) >= wanted || len(r.Samples) > 0 && spent+longest > budget
}
