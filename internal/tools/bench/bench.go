//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A bench runs scenarios.
type bench struct {
	programs []*program
	bin      string // directory of our commands
	tools    string
	dir      string // for inputs, stores and layouts
	sizes    sizes
	runs     int
	rates    rates
	progress io.Writer

	inputs map[string]*input
}

// scenario measures one table.
func (b *bench) scenario(ctx context.Context, s scenario) (result caseResult, err error) {
	in, err := b.input(s.input)
	if err != nil {
		return result, fmt.Errorf("input %s: %w", s.input, err)
	}
	dir, err := os.MkdirTemp(b.dir, "case-")
	if err != nil {
		return result, err
	}
	defer os.RemoveAll(dir)
	scene, err := b.stage(ctx, s, in, dir)
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, scene.stop()) }()

	result = caseResult{ID: s.id, Title: s.title, Note: s.note, Short: s.short, Shape: s.shape.String(), Kill: s.kill, Moves: s.moves(in)}
	if s.minCalls != nil {
		result.MinCalls = s.minCalls(in)
	}
	if s.do == opPush && pushCallsV2(in) < result.MinCalls {
		result.MinV2 = pushCallsV2(in)
	}
	variants := s.variants(b.programs)
	result.Rows = make([]row, len(variants))
	for i, v := range variants {
		result.Rows[i] = row{Program: v.program.name, Main: v.main, Connections: v.carriers(s), Limit: s.work(v, in).limit(b.rates)}
	}
	// The programs take turns, and each round begins with another one.
	for round := range b.runs {
		for n := range variants {
			i := (n + round) % len(variants)
			if row := &result.Rows[i]; !row.enough(b.runs, s.budget()) {
				if err := b.measure(ctx, scene, s, variants[i], round, row); err != nil {
					return result, err
				}
			}
		}
	}
	return result, nil
}

// measure adds one run to a row, or says there why it failed.
func (b *bench) measure(ctx context.Context, scene *scene, s scenario, v variant, round int, r *row) error {
	name := fmt.Sprintf("%s-%s-%d-%d", s.id, v.program.name, v.connections, round)
	t := &trial{
		scenario: s, variant: v, in: scene.in, src: scene.src, dst: scene.dst, launch: scene.launch,
		repository: "bench/" + name, out: filepath.Join(scene.dir, "layout-"+name),
	}
	// What ecrkit remembers of layers and uploads is for one trial.
	t.launch.env = append(slices.Clone(t.launch.env), "ECRKIT_STATE_DIR="+filepath.Join(scene.dir, "state-"+name))
	if v.program.path == "" {
		r.Error = "not installed"
		return nil
	}
	argv := t.argv()
	if argv == nil {
		r.Error = "cannot do this"
		return nil
	}
	r.Command = scene.plain(t, strings.Join(append([]string{v.program.name}, argv[1:]...), " "))
	got, err := t.run(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		r.Error, r.Samples = "failed: "+scene.plain(t, err.Error()), nil
		fmt.Fprintf(b.progress, "  %-7s %2d  %s\n", v.program.name, r.Connections, r.Error)
		return nil
	}
	r.Samples = append(r.Samples, got)
	fmt.Fprintf(b.progress, "  %-7s %2d  %8.3f s (limit %.3f)  CPU %.2f s, server %.2f s  %d MiB  %d + %d requests\n",
		v.program.name, r.Connections, got.Wall, r.Limit, got.CPU, got.ServerCPU, got.RSS>>20, got.Calls, got.Downloads)
	return nil
}

// input writes an input, once.
func (b *bench) input(name string) (*input, error) {
	if in := b.inputs[name]; in != nil {
		return in, nil
	}
	in, err := b.sizes.write(name, filepath.Join(b.dir, "input-"+name))
	if err != nil {
		return nil, err
	}
	b.inputs[name] = in
	return in, nil
}

// A scene is what the programs of a scenario share: registries and a user of them.
type scene struct {
	dir      string
	in       *input
	src, dst *registry
	launch   launcher
}

// stage starts the registries of a scenario, sets the programs up, and pushes what is to be read.
func (b *bench) stage(ctx context.Context, s scenario, in *input, dir string) (_ *scene, err error) {
	c := &scene{dir: dir, in: in}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.stop())
		}
	}()
	ecrkit := filepath.Join(b.bin, "ecrkit")
	if c.dst, err = startRegistry(ctx, ecrkit, filepath.Join(dir, "registry"), s.shape); err != nil {
		return nil, err
	}
	c.src = c.dst
	registries := []*registry{c.dst}
	if s.two {
		if c.src, err = startRegistry(ctx, ecrkit, filepath.Join(dir, "registry-2"), s.shape); err != nil {
			return nil, err
		}
		registries = append(registries, c.src)
	}
	if s.mounting {
		if err := c.dst.enableMounting(ctx); err != nil {
			return nil, err
		}
	}
	path := strings.Join([]string{b.bin, b.tools, os.Getenv("PATH")}, string(filepath.ListSeparator))
	u, err := newUser(filepath.Join(dir, "home"), path, registries...)
	if err != nil {
		return nil, err
	}
	c.launch = launcher{path: filepath.Join(b.tools, "launch"), env: u.environ, dir: dir}
	for _, p := range b.programs {
		if p.path == "" || p.setup == nil {
			continue
		}
		for _, r := range registries {
			if _, err := c.launch.run(ctx, append([]string{p.path}, p.setup(r.Addr)...)); err != nil {
				return nil, fmt.Errorf("%s: %w", p.name, err)
			}
		}
	}
	// The token is in the cache of the credential helper from here on, and no program pays for it.
	for _, r := range registries {
		if _, err := c.launch.run(ctx, []string{ecrkit, "auth", "token", r.Addr}); err != nil {
			return nil, fmt.Errorf("token for the local ECR: %w", err)
		}
	}
	if s.do == opPull || s.do == opCopy || s.do == opTag {
		if err := c.src.create(ctx, sourceRepository); err != nil {
			return nil, err
		}
		push := []string{ecrkit, "push", "oci:" + in.path + ":" + inputTag, c.src.Addr + "/" + sourceRepository + ":" + inputTag}
		if _, err := c.launch.run(ctx, push); err != nil {
			return nil, fmt.Errorf("push of what is to be read: %w", err)
		}
	}
	return c, nil
}

func (c *scene) stop() error {
	var err error
	if c.dst != nil {
		err = c.dst.Stop()
	}
	if c.src != nil && c.src != c.dst {
		err = errors.Join(err, c.src.Stop())
	}
	return err
}

// plain is a text without what is only of this machine and this run.
func (c *scene) plain(t *trial, text string) string {
	for _, r := range [][2]string{
		{t.out, "DIR"},
		{t.in.path, "INPUT"},
		{c.dir, "…"},
		{filepath.Dir(c.launch.path), "…"},
		{t.program.path, t.program.name},
		{sourceRepository, "source"},
		{t.repository, "app"},
		{t.newTag(), "2"},
		{c.dst.Addr, "HOST"},
		{c.src.Addr, "HOST2"},
	} {
		text = strings.ReplaceAll(text, r[0], r[1])
	}
	return text
}

// run measures all scenarios. What was measured before an error is in the results as well.
func (b *bench) run(ctx context.Context, list []scenario) (results Results, err error) {
	start := time.Now()
	results = Results{Date: start.UTC().Format(time.DateOnly), Machine: thisMachine(b.dir), Rates: b.rates}
	for _, p := range b.programs {
		results.Programs = append(results.Programs, programInfo{p.name, p.version})
	}
	for _, s := range list {
		fmt.Fprintf(b.progress, "%4.0f s  %s: %s (%s)\n", time.Since(start).Seconds(), s.id, s.title, s.shape)
		result, err := b.scenario(ctx, s)
		results.Seconds = time.Since(start).Seconds()
		if err != nil {
			return results, fmt.Errorf("%s: %w", s.id, err)
		}
		results.Cases = append(results.Cases, result)
	}
	return results, nil
}
