//go:build linux

package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
)

// report is the section of docs/benchmarks.md about transfers. chart is the chart's file name, "" for none.
func report(r Results, chart string) string {
	var b strings.Builder
	b.WriteString("## Push, pull and copy\n\n")
	if r.Quick {
		b.WriteString("**A trial of the benchmark with small sizes: these figures mean nothing.**\n\n")
	}
	if chart != "" {
		fmt.Fprintf(&b, "![Seconds of each program in the main cases](%s)\n\n", chart)
	}
	b.WriteString(introduction(r))
	for _, c := range r.Cases {
		b.WriteString(table(c))
	}
	b.WriteString(commands(r))
	return b.String()
}

func introduction(r Results) string {
	var b strings.Builder
	m := r.Machine
	fmt.Fprintf(&b, "| Date | %s, in %.0f minutes |\n|---|---|\n", r.Date, r.Seconds/60)
	fmt.Fprintf(&b, "| Machine | %s, %d cores, %s; SHA-256 on one core: %s/s |\n", m.CPU, m.Cores, humanize.IBytes(uint64(m.Memory)), humanize.IBytes(uint64(r.Rates.SHA256)))
	fmt.Fprintf(&b, "| System | %s, Linux %s, Go %s; files on %s |\n", m.System, m.Kernel, m.Go, m.Files)
	var programs []string
	for _, p := range r.Programs {
		version := p.Version
		if version == "" {
			version = "not installed"
		}
		programs = append(programs, p.Name+" "+version)
	}
	fmt.Fprintf(&b, "| Programs | %s |\n\n", strings.Join(programs, ", "))
	b.WriteString(`Each program runs in its own process, with ` + "`docker-credential-ecrkit`" + ` as its credential helper. It uses an
` + "`ecrkit local`" + ` in another process, on the same cores, with the round-trip time and the bytes per second of each
connection that the heading shows. The programs take turns. Each run has a fresh repository or directory, and its result
is checked: a wrong result is a failure.

| Column | Meaning |
|---|---|
| Connections | number of connections for layers. ecrkit uses 8 for one layer and 16 in total, unless ` + "`--connections`" + ` sets another number; the others use one for each layer |
| Seconds | median of the runs, with the lowest and the highest value. There are fewer runs where one takes long |
| Limit | the least possible time: the longest of bytes ÷ (connections × rate); the largest layer ÷ the hash rate of one core; all that program and server must hash ÷ the hash rate of all cores; and the round trips that follow one another on these connections. Parts that are sent to ECR's own API have 4/3 of their bytes on the wire (base64), and are hashed for their signature too. A connection without a rate carries 1 MiB in half a round trip |
| CPU | seconds of user and system time: of the program with its credential helper, and of the server |
| Memory | peak of the resident set |
| Requests | requests to ECR's API and to /v2/, plus downloads by pre-signed URL |
| Excess | bytes of blobs that were sent and received beyond those that had to be |

`)
	return b.String()
}

func table(c caseResult) string {
	var b strings.Builder
	fmt.Fprintf(&b, "### %s; %s\n\n", c.Title, c.Shape)
	if c.Note != "" {
		b.WriteString(c.Note + "\n\n")
	}
	head := heading(c.Kill)
	b.WriteString(head + "\n" + strings.Repeat("|---", strings.Count(head, "|")-1) + "|\n")
	for _, r := range c.Rows {
		b.WriteString(line(c, r))
	}
	b.WriteString("\n")
	if c.MinCalls > 0 {
		v2 := ""
		if c.MinV2 > 0 {
			v2 = fmt.Sprintf(" in parts, %d through /v2/", c.MinV2)
		}
		fmt.Fprintf(&b, "Minimum number of requests: %d%s, plus the downloads.\n", c.MinCalls, v2)
	}
	if text := comparison(c); text != "" {
		b.WriteString(text + "\n")
	}
	if c.MinCalls > 0 || comparison(c) != "" {
		b.WriteString("\n")
	}
	return b.String()
}

// heading is the first line of a table.
func heading(kill bool) string {
	if kill {
		return "| Program | Connections | Repeated | Leftover | Seconds of the second run | CPU | Memory | Requests of the second run | Runs |"
	}
	return "| Program | Connections | Seconds | Limit | Ratio to limit | CPU, server | Memory | Requests | Excess | Runs |"
}

// line is a row of a table.
func line(c caseResult, r row) string {
	name := r.Program
	if r.Main {
		name = "**" + name + "**"
	}
	connections := ""
	if r.Connections > 0 {
		connections = fmt.Sprint(r.Connections)
	}
	seconds, ok := r.seconds()
	if !ok {
		empty := strings.Count(heading(c.Kill), "|") - 4
		return fmt.Sprintf("| %s | %s | %s |%s\n", name, connections, cell(r.Error), strings.Repeat(" |", empty))
	}
	value := func(of func(sample) float64) float64 { return spreadOf(r.Samples, of).median }
	var (
		memory   = value(func(s sample) float64 { return float64(s.RSS) }) / mib
		cpu      = value(func(s sample) float64 { return s.CPU })
		server   = value(func(s sample) float64 { return s.ServerCPU })
		requests = number(value(func(s sample) float64 { return float64(s.Calls) }))
		gets     = value(func(s sample) float64 { return float64(s.Downloads) })
	)
	if gets > 0 {
		requests += " + " + number(gets)
	}
	if c.Kill {
		return fmt.Sprintf("| %s | %s | %s | %s | %s | %.2f | %.0f MiB | %s | %d |\n", name, connections,
			bytesText(value(func(s sample) float64 { return float64(s.Again) })), bytesText(value(func(s sample) float64 { return float64(s.Left) })),
			secondsText(spreadOf(r.Samples, wall)), cpu, memory, requests, len(r.Samples))
	}
	limit, of := "", ""
	if r.Limit > 0 {
		limit, of = fmt.Sprintf("%.2f", r.Limit), fmt.Sprintf("%.2f ×", seconds/r.Limit)
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s | %.2f, %.2f | %.0f MiB | %s | %s | %d |\n", name, connections,
		secondsText(spreadOf(r.Samples, wall)), limit, of, cpu, server, memory, requests, over(c, r), len(r.Samples))
}

// over is how many bytes of blobs moved beyond those that had to.
func over(c caseResult, r row) string {
	if c.Moves < 0 {
		return ""
	}
	moved := spreadOf(r.Samples, func(s sample) float64 { return float64(s.In + s.Out) }).median
	return bytesText(moved - float64(c.Moves))
}

// comparison is how ours does beside the best of the others.
func comparison(c caseResult) string {
	us, ok := c.mainRow()
	best, found := c.bestPeer()
	if !ok || !found {
		return ""
	}
	mine, _ := us.seconds()
	theirs, _ := best.seconds()
	memory := func(r row) float64 {
		return spreadOf(r.Samples, func(s sample) float64 { return float64(s.RSS) }).median
	}
	return fmt.Sprintf("%s compared with the fastest other program, %s: **%.2f ×** as fast, with %.2f × of its memory.", ours, best.Program, theirs/mine, memory(us)/max(1, memory(best)))
}

// commands are the command lines, each once.
func commands(r Results) string {
	var lines []string
	for _, c := range r.Cases {
		for _, r := range c.Rows {
			if r.Command != "" && !slices.Contains(lines, r.Command) {
				lines = append(lines, r.Command)
			}
		}
	}
	if len(lines) == 0 {
		return ""
	}
	slices.Sort(lines)
	return "### Commands\n\n```\n" + strings.Join(lines, "\n") + "\n```\n"
}

func secondsText(s spread) string {
	digits := 2
	if s.median < 1 {
		digits = 3
	}
	text := fmt.Sprintf("%.*f", digits, s.median)
	if s.low != s.high {
		text += fmt.Sprintf(" (%.*f–%.*f)", digits, s.low, digits, s.high)
	}
	return text
}

func number(n float64) string { return fmt.Sprintf("%.0f", n) }

func bytesText(n float64) string {
	if n < 1 {
		return "0"
	}
	return humanize.IBytes(uint64(n))
}

// cell is a text that fits into a cell of a table.
func cell(text string) string {
	const most = 160
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most]) + "…"
	}
	return strings.NewReplacer("|", "/", "<", "‹", ">", "›", "`", "'").Replace(text)
}
