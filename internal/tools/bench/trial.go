//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ecrkit/ecrkit/localecr"
)

// A variant is a program with its flags.
type variant struct {
	program     *program
	connections int  // flag for one layer; 0 is the default
	main        bool // ours as it is by default
}

// oursForOneLayer is ours' default for one layer.
const oursForOneLayer = 8

// carriers is the number of connections that carry a scenario's bytes.
func (v variant) carriers(s scenario) int {
	switch {
	case s.do == opTag || s.do == opWarm || s.do == opArchiveWarm:
		return 0
	case v.connections > 0:
		return v.connections
	case s.largest && v.program.name == ours:
		return oursForOneLayer
	case s.largest:
		return 1
	}
	return v.program.connections
}

// variants are ours, with each number of connections that the scenario wants, and the others.
func (s scenario) variants(programs []*program) (list []variant) {
	for _, p := range programs {
		if p.name != ours {
			list = append(list, variant{program: p})
			continue
		}
		for _, n := range s.tried {
			if n != oursForOneLayer {
				list = append(list, variant{program: p, connections: n})
				continue
			}
			list = append(list, variant{program: p, main: true})
		}
		if len(s.tried) == 0 {
			list = append(list, variant{program: p, main: true})
		}
	}
	return list
}

// sourceRepository is where scenarios that read have their image.
const sourceRepository = "bench/source"

// A trial is one run of one variant.
type trial struct {
	scenario
	variant
	in         *input
	src, dst   *registry // the same unless the scenario wants two
	launch     launcher
	repository string // fresh, in dst
	out        string // fresh directory for what is pulled
}

func (t *trial) ref() string       { return t.dst.Addr + "/" + t.repository + ":" + inputTag }
func (t *trial) sourceRef() string { return t.src.Addr + "/" + sourceRepository + ":" + inputTag }

// newTag is the one that is given, another in each run.
func (t *trial) newTag() string { return strings.ReplaceAll(t.repository, "/", "-") }

// run measures once. An error of the command is a *commandError.
func (t *trial) run(ctx context.Context) (s sample, err error) {
	if err := t.dst.create(ctx, t.repository); err != nil {
		return s, err
	}
	defer func() {
		if removeErr := t.dst.remove(context.WithoutCancel(ctx), t.repository); err == nil {
			err = removeErr
		}
		os.RemoveAll(t.out)
	}()
	argv := t.argv()
	if t.do == opWarm || t.do == opArchiveWarm {
		if _, err := t.launch.run(ctx, argv); err != nil {
			return s, err
		}
	}
	if _, err := t.calls(); err != nil {
		return s, err
	}
	var before int64
	if t.kill {
		if before, err = t.killed(ctx, argv); err != nil {
			return s, err
		}
	}
	server, err := t.serverCPU()
	if err != nil {
		return s, err
	}
	used, err := t.launch.run(ctx, argv)
	if err != nil {
		return s, err
	}
	after, err := t.serverCPU()
	if err != nil {
		return s, err
	}
	calls, err := t.calls()
	if err != nil {
		return s, err
	}
	s = sample{
		Wall: used.Wall.Seconds(), CPU: used.CPU.Seconds(), RSS: used.RSS,
		ServerCPU: (after - server).Seconds(), traffic: trafficOf(calls),
	}
	if t.kill {
		s.Again = max(0, before+s.Payload-t.in.bytes())
		if t.do == opPull {
			if s.Left, err = strayBytes(t.out, t.in); err != nil {
				return s, err
			}
		}
	}
	return s, t.verify(ctx)
}

// killed runs the command until half of the bytes are through and kills it. It returns how many bytes of
// blobs had arrived: at the server, or in files.
func (t *trial) killed(ctx context.Context, argv []string) (int64, error) {
	half := t.work(t.variant, t.in).wire * float64(t.in.bytes()) / 2
	written, err := t.launch.killHalfway(ctx, argv, int64(half))
	if err != nil {
		return 0, err
	}
	if err := t.dst.settle(ctx); err != nil {
		return 0, err
	}
	calls, err := t.calls()
	if t.do == opPull {
		return written, err // the server has sent more, into buffers that ended with the process
	}
	return trafficOf(calls).Payload, err
}

// calls takes what the logs have got.
func (t *trial) calls() ([]localecr.Call, error) {
	calls, err := t.dst.calls()
	if err != nil || t.src == t.dst {
		return calls, err
	}
	more, err := t.src.calls()
	return append(calls, more...), err
}

func (t *trial) serverCPU() (time.Duration, error) {
	sum, err := cpuTime(t.dst.PID())
	if err != nil || t.src == t.dst {
		return sum, err
	}
	more, err := cpuTime(t.src.PID())
	return sum + more, err
}

// verify checks that what the command was to do is done.
func (t *trial) verify(ctx context.Context) error {
	switch t.do {
	case opPull:
		return verifyLayout(t.out, t.in)
	case opArchive, opArchiveWarm:
		_, err := t.dst.digest(ctx, t.repository, inputTag)
		return err
	}
	repository, tag := t.repository, inputTag
	if t.do == opTag {
		repository, tag = sourceRepository, t.newTag()
	}
	got, err := t.dst.digest(ctx, repository, tag)
	if err == nil && got != string(t.in.root) {
		err = fmt.Errorf("the image has the digest %s, not %s", got, t.in.root)
	}
	return err
}

// verifyLayout checks that a layout names the root of an input and has all its blobs.
func verifyLayout(dir string, in *input) error {
	index, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if err != nil {
		return err
	}
	if !strings.Contains(string(index), string(in.root)) {
		return fmt.Errorf("the layout does not name %s", in.root)
	}
	for _, b := range in.blobs {
		f, err := os.Open(filepath.Join(dir, "blobs", "sha256", b.Digest.Encoded()))
		if err != nil {
			return err
		}
		verifier := b.Digest.Verifier()
		_, err = f.WriteTo(verifier)
		f.Close()
		if err != nil {
			return err
		}
		if !verifier.Verified() {
			return fmt.Errorf("blob %s has other bytes", b.Digest)
		}
	}
	return nil
}

// strayBytes is the size of all files in a layout that do not belong to it.
func strayBytes(dir string, in *input) (stray int64, err error) {
	blobs := make(map[string]bool)
	for _, b := range in.blobs {
		blobs[b.Digest.Encoded()] = true
	}
	err = filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || blobs[entry.Name()] {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.Size() > 64<<10 { // not the manifests
			stray += info.Size()
		}
		return err
	})
	return stray, err
}
