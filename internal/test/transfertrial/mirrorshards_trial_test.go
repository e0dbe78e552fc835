//go:build trial && linux

package transfertrial

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ecrkit/ecrkit/localecr"
)

// engine is what an engine of jobs tells each of its processes.
type engine struct {
	name string
	// shard returns the value of --shard and the variables of a process, which count from 0.
	shard func(t *testing.T, index, count int) (flag string, variables []string)
}

var engines = []engine{
	{"kubernetes", func(_ *testing.T, index, count int) (string, []string) {
		return "auto", []string{fmt.Sprint("JOB_COMPLETION_INDEX=", index), fmt.Sprint("ECRKIT_SHARDS=", count)}
	}},
	{"batch", func(_ *testing.T, index, count int) (string, []string) {
		return "auto", []string{fmt.Sprint("AWS_BATCH_JOB_ARRAY_INDEX=", index), fmt.Sprint("AWS_BATCH_JOB_ARRAY_SIZE=", count)}
	}},
	{"github", func(t *testing.T, index, count int) (string, []string) {
		dir := t.TempDir()
		return fmt.Sprintf("%d/%d", index+1, count), []string{"CI=true", "GITHUB_ACTIONS=true", "GITHUB_OUTPUT=" + filepath.Join(dir, "output"), "GITHUB_STEP_SUMMARY=" + filepath.Join(dir, "summary")}
	}},
}

// TestTrialMirrorShards has eight processes share a mirror, all started at once, with the variables of each engine. One is killed and
// started again, one is started twice at the same time, one is run again after it was done. Each repository is in one shard, together
// they have all, and there is one report, which counts each tag once.
func TestTrialMirrorShards(t *testing.T) {
	t.Parallel()
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, localecr.Options{})
			images := manyImages{repositories: 24, tags: 2, all: []int{100 * kib}, repository: []int{20 * kib}, own: 10 * kib}
			images.put(t, s)
			mirrorShards(t, s, e, images)
		})
	}
}

const (
	shards      = 8
	killedShard = 2 // of these, which count from 0
	doubleShard = 4
	againShard  = 6
)

func mirrorShards(t *testing.T, s *site, e engine, images manyImages) {
	config := s.mirrorConfig(t, "copy")
	dir := t.TempDir()
	var reports []string
	shard := func(index int) *exec.Cmd {
		flag, variables := e.shard(t, index, shards)
		cmd := s.command("mirror", "apply", config, "--shard", flag, "--output", "json", "--progress", "none")
		cmd.Env = append(cmd.Env, variables...)
		report := filepath.Join(dir, fmt.Sprintf("%02d.json", len(reports)))
		reports = append(reports, report)
		out, err := os.Create(report)
		check(t, err)
		t.Cleanup(func() { _ = out.Close() }) // the process has written it
		var messages strings.Builder
		cmd.Stdout, cmd.Stderr = out, &messages
		return cmd
	}
	ends := func(cmd *exec.Cmd) {
		t.Helper()
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v: %v\n%s", cmd.Args, err, cmd.Stderr)
		}
	}
	var running []*exec.Cmd
	for index := range shards {
		if index != killedShard {
			running = append(running, shard(index))
		}
	}
	running = append(running, shard(doubleShard))
	for _, cmd := range running {
		check(t, cmd.Start())
	}
	var ended sync.WaitGroup
	for _, cmd := range running {
		ended.Go(func() { ends(cmd) })
	}
	// It is killed when about half of what all send has passed, which includes its own.
	killed := s.kill(shard(killedShard), int64(images.repositories*images.tags*images.own), 0)
	ended.Wait()
	t.Logf("killed: %v", killed)
	for _, index := range []int{killedShard, againShard} {
		cmd := shard(index)
		check(t, cmd.Start())
		ends(cmd)
	}
	checkShards(t, s, images, reports)
	s.nothingLeft()
}

// checkShards checks the reports of shards, of which some may be empty, and what they copied.
func checkShards(t *testing.T, s *site, images manyImages, reports []string) {
	t.Helper()
	owners := map[string]int{}
	var whole []string
	for _, path := range reports {
		data, err := os.ReadFile(path)
		check(t, err)
		if len(data) == 0 {
			continue // was killed
		}
		whole = append(whole, path)
		var r struct {
			Shard struct {
				Index        int
				Repositories []string
			}
		}
		check(t, json.Unmarshal(data, &r))
		for _, name := range r.Shard.Repositories {
			if other, known := owners[name]; known && other != r.Shard.Index {
				t.Errorf("%s is in shard %d and in shard %d", name, other, r.Shard.Index)
			}
			owners[name] = r.Shard.Index
		}
	}
	has := map[int]bool{}
	for _, index := range owners {
		has[index] = true
	}
	if len(owners) != images.repositories || len(has) != shards {
		t.Errorf("the shards %v have %d repositories of %d", slices.Sorted(maps.Keys(has)), len(owners), images.repositories)
	}
	report := s.command(slices.Concat([]string{"mirror", "report"}, whole, []string{"--output", "json"})...)
	out, err := report.Output()
	if err != nil {
		t.Fatalf("report: %v\n%s", err, out)
	}
	var merged struct {
		Shards, Repositories, Kept int
		Missing                    []int
		Images                     []struct {
			To   string
			Tags []string
		}
	}
	check(t, json.Unmarshal(out, &merged))
	tags := merged.Kept
	once := map[string]bool{}
	for _, image := range merged.Images {
		for _, tag := range image.Tags {
			if name := image.To + ":" + tag; once[name] {
				t.Errorf("%s is there twice", name)
			} else {
				once[name] = true
			}
			tags++
		}
	}
	if want := images.repositories * images.tags; merged.Shards != shards || merged.Repositories != images.repositories || len(merged.Missing) > 0 || tags != want {
		t.Errorf("the report has %d shards, %d repositories, %d tags of %d, and misses %v", merged.Shards, merged.Repositories, tags, want, merged.Missing)
	}
	for i := range images.repositories {
		name := fmt.Sprintf("src/repo%04d", i)
		if got, want := s.names(t, "copy/"+name), s.names(t, name); got != want {
			t.Errorf("copy/%s:\n%s\nnot\n%s", name, got, want)
		}
	}
}
