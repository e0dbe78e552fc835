//go:build linux

package main

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/ecrkit/ecrkit/localecr"
)

// example has every kind of row.
func example() Results {
	samples := func(walls ...float64) (list []sample) {
		for _, w := range walls {
			list = append(list, sample{Wall: w, CPU: 1, ServerCPU: 2, RSS: 32 * mib, traffic: traffic{Calls: 3, Downloads: 8, Out: 512*mib + 1024}})
		}
		return list
	}
	rows := []row{
		{Program: ours, Connections: 4, Limit: 12.8, Command: "ecrkit pull --connections 4", Samples: samples(13)},
		{Program: ours, Connections: 8, Main: true, Limit: 6.4, Command: "ecrkit pull", Samples: samples(7, 6.5, 6.6)},
		{Program: "crane", Connections: 1, Limit: 51.2, Command: "crane pull", Samples: samples(52.8)},
		{Program: "regctl", Connections: 1, Limit: 51.2, Command: "regctl pull", Samples: samples(60)},
		{Program: "oras", Error: "failed: exit status 1: <a|b> & `c`"},
		{Program: "skopeo", Error: "not installed"},
	}
	return Results{
		Machine:  machine{CPU: "A & B", Cores: 2},
		Programs: []programInfo{{ours, "1.0"}, {"skopeo", ""}},
		Cases: []caseResult{
			{ID: "pull", Title: "Pull", Short: "Pull <&>", Shape: "20 ms", MinCalls: 3, Moves: 512 * mib, Rows: rows},
			{ID: "kill", Title: "Kill", Shape: "20 ms", Kill: true, Rows: rows},
			{ID: "third", Title: "Third", Short: "Third", Shape: "20 ms", Rows: rows[4:]},
		},
	}
}

func TestReport(t *testing.T) {
	text := report(example(), "benchmarks.svg")
	for _, want := range []string{
		"![Seconds of each program in the main cases](benchmarks.svg)",
		"ecrkit 1.0, skopeo not installed",
		"| **ecrkit** | 8 | 6.60 (6.50–7.00) | 6.40 | 1.03 × | 1.00, 2.00 | 32 MiB | 3 + 8 | 1.0 KiB | 3 |",
		"| ecrkit | 4 | 13.00 | 12.80 | 1.02 × |",
		"| oras |  | failed: exit status 1: ‹a/b› & 'c' |",
		"| skopeo |  | not installed |",
		"Minimum number of requests: 3, plus the downloads.",
		"ecrkit compared with the fastest other program, crane: **8.00 ×** as fast, with 1.00 × of its memory.",
		"\ncrane pull\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the report has no %q:\n%s", want, text)
		}
	}
	columns := 0
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "|") {
			columns = 0
			continue
		}
		if n := strings.Count(line, "|"); columns != 0 && n != columns {
			t.Errorf("a row has %d columns in a table of %d: %s", n-1, columns-1, line)
		} else {
			columns = n
		}
	}
}

// A table says that the others are faster as plainly as that they are not.
func TestComparison(t *testing.T) {
	c := caseResult{Rows: []row{
		{Program: ours, Main: true, Samples: []sample{{Wall: 2, RSS: 30}}},
		{Program: "crane", Samples: []sample{{Wall: 1, RSS: 10}}},
	}}
	if got, want := comparison(c), "ecrkit compared with the fastest other program, crane: **0.50 ×** as fast, with 3.00 × of its memory."; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	c.Rows[0].Error = "failed: no"
	if got := comparison(c); got != "" {
		t.Errorf("ours failed, and the comparison is %q", got)
	}
}

func TestResultsAsJSON(t *testing.T) {
	want := example()
	data, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got Results
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestChart(t *testing.T) {
	svg := chart(example())
	decoder := xml.NewDecoder(strings.NewReader(svg))
	var text strings.Builder
	rectangles := 0
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("the chart is not XML: %v", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			if token.Name.Local == "rect" {
				rectangles++
			}
		case xml.CharData:
			text.Write(token)
			text.WriteByte('\n')
		}
	}
	// The ground, and in the first panel ours by default, crane and regctl.
	if rectangles != 4 {
		t.Errorf("the chart has %d rectangles, want 4", rectangles)
	}
	for _, want := range []string{"Pull <&>", "6.6 s", "53 s", "60 s", "failed", "not installed"} {
		if !strings.Contains(text.String(), "\n"+want+"\n") {
			t.Errorf("the chart has no text %q", want)
		}
	}
	if strings.Contains(text.String(), "13 s") {
		t.Error("the chart shows ours with other connections than the default")
	}
}

func TestSpread(t *testing.T) {
	walls := func(values ...float64) (list []sample) {
		for _, v := range values {
			list = append(list, sample{Wall: v})
		}
		return list
	}
	for _, c := range []struct {
		samples []sample
		want    spread
	}{
		{nil, spread{}},
		{walls(3), spread{3, 3, 3}},
		{walls(5, 1), spread{3, 1, 5}},
		{walls(9, 1, 2), spread{2, 1, 9}},
	} {
		if got := spreadOf(c.samples, wall); got != c.want {
			t.Errorf("%v: got %v, want %v", c.samples, got, c.want)
		}
	}
}

func TestEnough(t *testing.T) {
	for _, c := range []struct {
		row  row
		want bool
	}{
		{row{}, false},
		{row{Samples: []sample{{Wall: 9}, {Wall: 9}}}, false},
		{row{Samples: []sample{{Wall: 1}, {Wall: 1}, {Wall: 1}}}, true},
		{row{Samples: []sample{{Wall: 52}}}, true},
		{row{Samples: []sample{{Wall: 17}, {Wall: 17}}}, true},
		{row{Error: "failed"}, true},
	} {
		if got := c.row.enough(3, 30); got != c.want {
			t.Errorf("%+v: got %v", c.row, got)
		}
	}
}

func TestTraffic(t *testing.T) {
	got := trafficOf([]localecr.Call{
		{Endpoint: localecr.EndpointAPI, Op: "BatchCheckLayerAvailability", BytesIn: 90},
		{Endpoint: localecr.EndpointAPI, Op: "UploadLayerPart", BytesIn: 4000},
		{Endpoint: localecr.EndpointV2, Op: "PATCH /v2/{name}/blobs/uploads/{uuid}", BytesIn: 70},
		{Endpoint: localecr.EndpointV2, Op: "PUT /v2/{name}/blobs/uploads/{uuid}", BytesIn: 7},
		{Endpoint: localecr.EndpointV2, Op: "PUT /v2/{name}/manifests/{reference}", BytesIn: 500},
		{Endpoint: localecr.EndpointS3, Op: "GET /layers/{digest}", BytesOut: 100},
	})
	got.Ops = nil
	if want := (traffic{Calls: 5, Downloads: 1, In: 4077, Out: 100, Payload: 3177}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
