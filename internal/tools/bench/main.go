//go:build linux

// Bench measures ecrkit's pushes, pulls and copies beside those of crane, regctl, oras and skopeo,
// against the same local ECR, and prints tables in Markdown.
//
//	go run ./internal/tools/bench                     # all, about 27 minutes
//	go run ./internal/tools/bench -quick              # small sizes: a test of the benchmark itself
//	go run ./internal/tools/bench -case pull,push-10  # only these, by the beginning of their names
//	go run ./internal/tools/bench -save results.json  # keeps what was measured
//	go run ./internal/tools/bench -render results.json
//
// It needs Linux, Go, and ecrkit built into bin. It builds crane, regctl and oras at the versions that
// bench/go.mod pins; skopeo takes part when it is installed.
//
// Each program runs as a process of its own, with docker-credential-ecrkit as its credential helper, against an
// `ecrkit local` that is a process of its own and starts again for each table. A push goes to a fresh repository,
// a pull to a fresh directory, and what was to be done is checked afterwards: a wrong result is a failure. The
// requests are those of the server's audit log.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	quick, list                               bool
	size                                      float64
	runs                                      int
	cases, programs                           string
	bin, tools, dir, out, chart, save, render string
}

func parse(args []string) (o options, err error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.BoolVar(&o.quick, "quick", false, "small sizes and one run: a test of the benchmark itself")
	flags.BoolVar(&o.list, "list", false, "print the cases and stop")
	flags.Float64Var(&o.size, "size", 1, "`factor` of all sizes")
	flags.IntVar(&o.runs, "runs", 3, "how often a command is measured; less where one run takes long")
	flags.StringVar(&o.cases, "case", "", "only the cases whose names begin with one of these `words`, separated by commas")
	flags.StringVar(&o.programs, "programs", "", "only these `names`, separated by commas")
	flags.StringVar(&o.bin, "bin", "bin", "`directory` of ecrkit and docker-credential-ecrkit")
	flags.StringVar(&o.tools, "tools", "bin/tools", "`directory` into which the other programs are built")
	flags.StringVar(&o.dir, "dir", "", "`directory` for inputs, stores and layouts (default that for temporary files); 8 GiB are needed")
	flags.StringVar(&o.out, "o", "", "write the tables to this `file` instead of stdout")
	flags.StringVar(&o.chart, "chart", "", "write the chart to this `file`, in SVG")
	flags.StringVar(&o.save, "save", "", "write what was measured to this `file`, in JSON")
	flags.StringVar(&o.render, "render", "", "measure nothing: take what -save wrote to this `file`")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if o.size <= 0 || o.runs < 1 {
		return o, errors.New("-size and -runs must be positive")
	}
	return o, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	sizes := fullSizes
	if o.quick {
		sizes, o.runs = quickSizes, 1
	}
	sizes = sizes.times(o.size)
	list, err := selected(scenarios(sizes), o.cases)
	if err != nil {
		return err
	}
	if o.list {
		for _, s := range list {
			fmt.Fprintf(stdout, "%-14s %s (%s)\n", s.id, s.title, s.shape)
		}
		return nil
	}
	var results Results
	if o.render != "" {
		data, err := os.ReadFile(o.render)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(data, &results); err != nil {
			return fmt.Errorf("%s: %w", o.render, err)
		}
	} else if results, err = measure(ctx, o, sizes, list, stderr); err != nil {
		return err
	}
	return write(o, results, stdout)
}

// times are sizes multiplied, none below what a layer of a few files has.
func (s sizes) times(factor float64) sizes {
	scale := func(n int64) int64 { return max(64<<10, int64(float64(n)*factor)) }
	return sizes{scale(s.large), scale(s.medium), scale(s.small), scale(s.platform), scale(s.archive)}
}

// selected are the scenarios whose names begin with one of the words; all without words.
func selected(all []scenario, words string) (list []scenario, err error) {
	if words == "" {
		return all, nil
	}
	wanted := strings.Split(words, ",")
	for _, word := range wanted {
		if !slices.ContainsFunc(all, func(s scenario) bool { return strings.HasPrefix(s.id, word) }) {
			return nil, fmt.Errorf("no case begins with %q; see -list", word)
		}
	}
	for _, s := range all {
		if slices.ContainsFunc(wanted, func(word string) bool { return strings.HasPrefix(s.id, word) }) {
			list = append(list, s)
		}
	}
	return list, nil
}

func measure(ctx context.Context, o options, sizes sizes, list []scenario, progress io.Writer) (results Results, err error) {
	bin, err := filepath.Abs(o.bin)
	if err != nil {
		return results, err
	}
	tools, err := filepath.Abs(o.tools)
	if err != nil {
		return results, err
	}
	if err := buildTools(ctx, tools); err != nil {
		return results, err
	}
	all, err := programs(ctx, bin, tools)
	if err != nil {
		return results, err
	}
	if o.programs != "" {
		names := strings.Split(o.programs, ",")
		all = slices.DeleteFunc(all, func(p *program) bool { return !slices.Contains(names, p.name) })
	}
	dir, err := os.MkdirTemp(o.dir, "ecrkit-bench-")
	if err != nil {
		return results, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b := &bench{
		programs: all, bin: bin, tools: tools, dir: dir, sizes: sizes, runs: o.runs, progress: progress,
		inputs: make(map[string]*input),
	}
	// The cores' number is what all processes share: server and program run on this machine.
	machine := thisMachine(dir)
	b.rates = rates{SHA256: measureSHA256(), Cores: machine.Cores}
	results, err = b.run(ctx, list)
	results.Quick = o.quick || o.size != 1
	if o.save != "" {
		data, encodeErr := json.MarshalIndent(results, "", "\t")
		if encodeErr == nil {
			encodeErr = os.WriteFile(o.save, data, 0o644)
		}
		err = errors.Join(err, encodeErr)
	}
	return results, err
}

// write writes tables and chart.
func write(o options, results Results, stdout io.Writer) error {
	if o.chart != "" {
		if err := os.WriteFile(o.chart, []byte(chart(results)), 0o644); err != nil {
			return err
		}
	}
	text := report(results, filepath.Base(o.chart))
	if o.chart == "" {
		text = report(results, "")
	}
	if o.out != "" {
		return os.WriteFile(o.out, []byte(text), 0o644)
	}
	_, err := io.WriteString(stdout, text)
	return err
}
