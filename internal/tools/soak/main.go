//go:build linux

// Soak puts the built ecrkit and its credential helper through a bad day, again and again, and
// counts: processes are killed, the local ECR fails, disks are full, directories vanish, clocks jump, many
// processes want one file, and every parser is fuzzed.
//
//	go run ./internal/tools/soak -section kill,faults -count 100 -o soak.json
//
// Each section prints a table: runs, and how many of them had a wrong digest, lost what an earlier run had
// acknowledged, left something behind, did not end in time or ended with an unclear error. It exits with 1 if
// any did. With -seed the same choices are made again.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// options are what the flags set.
type options struct {
	sections string
	only     string
	except   string
	count    int
	sizes    int
	vanish   int
	rounds   int
	parallel int
	seed     uint64
	dir      string
	bin      string
	output   string
	fuzzTime time.Duration
	fuzzDir  string
	nice     int
}

// sections are what can be run, in the order of a run of all.
var sections = []struct {
	name string
	run  func(context.Context, *soak) error
}{
	{"kill", runKill},
	{"faults", runFaults},
	{"disk", runDisk},
	{"directories", runDirectories},
	{"clock", runClock},
	{"together", runTogether},
	{"fuzz", runFuzz},
	{"random", runRandom},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		os.Exit(2)
	}
	code, done, err := inNamespace(ctx)
	if done && err == nil {
		os.Exit(code)
	}
	if err == nil {
		err = run(ctx, o, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func parse(args []string) (o options, err error) {
	var names []string
	for _, s := range sections {
		names = append(names, s.name)
	}
	flags := flag.NewFlagSet("soak", flag.ContinueOnError)
	flags.StringVar(&o.sections, "section", strings.Join(names, ","), "`names` of sections to run")
	flags.StringVar(&o.only, "only", "", "run only the cases whose name contains this `text`")
	flags.StringVar(&o.except, "except", "", "run no case whose name contains this `text`")
	flags.IntVar(&o.count, "count", 1000, "`number` of kills, in all cases together")
	flags.IntVar(&o.sizes, "sizes", 50, "`number` of sizes of a full disk, for each place")
	flags.IntVar(&o.vanish, "vanish", 25, "`number` of times that each place is removed, and that it is renamed")
	flags.IntVar(&o.rounds, "rounds", 3, "`number` of rounds of 64 processes")
	flags.IntVar(&o.parallel, "parallel", 100, "`runs` at a time where most of them wait")
	flags.Uint64Var(&o.seed, "seed", uint64(time.Now().UnixNano()), "`seed` of all random choices")
	flags.StringVar(&o.dir, "dir", os.TempDir(), "`directory` for what the runs write")
	flags.StringVar(&o.bin, "bin", "", "`directory` of the built programs (default: builds them)")
	flags.StringVar(&o.output, "o", "", "`file` for the results in JSON")
	flags.DurationVar(&o.fuzzTime, "fuzztime", 10*time.Minute, "`duration` of fuzzing, over all targets")
	flags.StringVar(&o.fuzzDir, "fuzzdir", "", "`directory` that keeps fuzz programs and inputs between runs (default: none is kept)")
	flags.IntVar(&o.nice, "nice", 19, "niceness of everything that is run")
	err = flags.Parse(args)
	return o, err
}

// soak is one run of sections.
type soak struct {
	options
	ctx     context.Context
	out     io.Writer
	work    string // for everything that is written
	saving  sync.Mutex
	results []*section
}

// wants reports whether the flags choose the case.
func (s *soak) wants(name string) bool {
	return strings.Contains(name, s.only) && (s.except == "" || !strings.Contains(name, s.except))
}

func run(ctx context.Context, o options, out io.Writer) (err error) {
	if err := syscall.Setpriority(syscall.PRIO_PROCESS, 0, o.nice); err != nil {
		return fmt.Errorf("niceness %d: %w", o.nice, err)
	}
	work, err := os.MkdirTemp(o.dir, "ecrkit-soak-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	s := &soak{options: o, ctx: ctx, out: out, work: work}
	chosen := strings.Split(o.sections, ",")
	fmt.Fprintf(out, "seed %d, %s\n", o.seed, machine())
	if s.bin == "" {
		s.bin = filepath.Join(work, "bin")
		if slices.ContainsFunc(chosen, func(name string) bool { return name != "fuzz" && name != "random" }) {
			if err := build(ctx, s.bin); err != nil {
				return err
			}
		}
	}
	stop := make(chan struct{})
	defer close(stop)
	go s.saveOften(stop)
	for _, section := range sections {
		if !slices.Contains(chosen, section.name) || ctx.Err() != nil {
			continue
		}
		if err := section.run(ctx, s); err != nil {
			return fmt.Errorf("section %s: %w", section.name, err)
		}
	}
	return s.finish()
}
