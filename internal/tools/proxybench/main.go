//go:build linux

// Proxybench measures how fast engines pull and push one large layer directly and through
// `ecrkit proxy`, with a local ECR whose connections are slow, and how fast they pull small layers from one
// that is not slow. It prints sections of docs/benchmarks.md. It needs root, and docker, podman, containerd or skopeo: what is missing is left
// out.
package main

import (
	"context"
	"encoding/base64"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecr"

	"github.com/ecrkit/ecrkit/internal/test/stage"
)

const mib = 1 << 20

// bench is one run of the whole.
type bench struct {
	bin, dir string
	size     int64 // of the layer, in bytes
	rate     int64 // of a connection, in bytes per second
	latency  time.Duration
	runs     int
	progress io.Writer

	local *stage.Local // with slow connections
	near  *stage.Local // as fast as it is
	token string       // for local
	env   []string     // for local

	nearToken string   // for near
	nearEnv   []string // for near
	smallRuns int

	engines []engine
	number  int // of repositories that were made
}

func main() {
	b := &bench{progress: os.Stderr}
	size := flag.Int64("size", 512, "`MiB` of the layer")
	rate := flag.Int64("rate", 10, "`MiB` per second of a connection")
	flag.StringVar(&b.bin, "bin", "bin", "`directory` of ecrkit and docker-credential-ecrkit")
	flag.DurationVar(&b.latency, "latency", 20*time.Millisecond, "time before each answer")
	flag.IntVar(&b.runs, "runs", 1, "`number` of runs; the median counts")
	flag.IntVar(&b.smallRuns, "small-runs", 5, "`number` of runs with small layers; the median counts")
	small := flag.Bool("small", false, "only small layers")
	first := flag.Bool("first", false, "only how long first bytes take")
	push := flag.Bool("push", false, "only pushes")
	flag.Parse()
	b.size, b.rate = *size*mib, *rate*mib
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := b.run(ctx, os.Stdout, sections{*small, *first, *push})
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "proxybench:", err)
		os.Exit(1)
	}
}

// sections are those to print; none means all.
type sections struct{ small, first, push bool }

// run prints the sections.
func (b *bench) run(ctx context.Context, out io.Writer, only sections) (err error) {
	if b.bin, err = filepath.Abs(b.bin); err != nil {
		return err
	}
	// The path of a socket has at most 107 bytes.
	if b.dir, err = os.MkdirTemp("", "proxybench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if err := b.start(ctx); err != nil {
		return err
	}
	defer b.local.Stop()
	defer b.near.Stop()
	if only.first {
		return b.firstBytes(ctx, out)
	}
	if b.engines, err = b.startEngines(ctx); err != nil {
		return err
	}
	defer func() {
		for _, e := range b.engines {
			e.stop()
		}
	}()
	if only.push {
		return b.pushes(ctx, out)
	}
	if !only.small {
		if err := b.large(ctx, out); err != nil {
			return err
		}
	}
	return b.small(ctx, out)
}

// large measures pulls and pushes of one large layer from and to the registry that is slow.
func (b *bench) large(ctx context.Context, out io.Writer) error {
	engines, err := versions(ctx, b.engines)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "## Engines through the proxy\n\nOne layer of %d MiB that does not compress. A connection carries %d MiB/s, an answer takes %v. Runs: %d, the median counts.\nEngines unpack what they pull: %s.\n\n", b.size/mib, b.rate/mib, b.latency, b.runs, engines)
	canPull := func(e engine) bool { return e.pull != nil }
	pulls, err := b.measure(ctx, "pull", canPull, b.pullLarge)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "| Operation | Direct | Through the proxy | Faster | From the proxy's cache |\n|---|---:|---:|---:|---:|")
	for _, m := range pulls {
		fmt.Fprintf(out, "| %s | %.1f s | %.1f s | %.1f × | %.1f s |\n", m.name, m.direct, m.proxied, m.direct/m.proxied, m.third)
	}
	fmt.Fprintln(out)
	return b.pushes(ctx, out)
}

// pushes measures pushes of one large layer to the registry that is slow, and to one that is not.
func (b *bench) pushes(ctx context.Context, out io.Writer) error {
	canPush := func(e engine) bool { return e.push != nil }
	pushes, err := b.measure(ctx, "push", canPush, b.push)
	if err != nil {
		return err
	}
	writePushes(out, pushes)
	return nil
}

// writePushes prints pushes beside their floors.
func writePushes(out io.Writer, pushes []measured) {
	fmt.Fprint(out, `The floor is the same push to a registry that is not slow: what the engine itself takes to compress and hash the layer, which no proxy
makes shorter. "At most" is how much faster than directly a push in that time is. The last column compares what is beyond the floor,
directly and through the proxy.

| Operation | Direct | Through the proxy | Faster | Floor | At most | Faster without the floor |
|---|---:|---:|---:|---:|---:|---:|
`)
	for _, m := range pushes {
		beyond := "no time beyond the floor"
		if m.proxied > m.third {
			beyond = fmt.Sprintf("%.1f ×", max(m.direct-m.third, 0)/(m.proxied-m.third))
		}
		fmt.Fprintf(out, "| %s | %.1f s | %.1f s | %.1f × | %.1f s | %.1f × | %s |\n", m.name, m.direct, m.proxied, m.direct/m.proxied, m.third, m.direct/m.third, beyond)
	}
}

// measured is what an operation takes, in seconds.
type measured struct {
	name                   string
	direct, proxied, third float64
}

// measure measures an operation of each engine that can do it: directly, through the proxy, and in a third way.
func (b *bench) measure(ctx context.Context, operation string, can func(engine) bool,
	run func(context.Context, engine) (direct, proxied, third float64, err error)) (list []measured, err error) {
	for _, e := range b.engines {
		if !can(e) {
			continue
		}
		var direct, proxied, third []float64
		for range b.runs {
			d, p, o, err := run(ctx, e)
			if err != nil {
				return nil, fmt.Errorf("%s by %s: %w", operation, e.name, err)
			}
			direct, proxied, third = append(direct, d), append(proxied, p), append(third, o)
		}
		list = append(list, measured{operation + " by " + e.name, median(direct), median(proxied), median(third)})
	}
	return list, nil
}

func median(list []float64) float64 {
	list = slices.Sorted(slices.Values(list))
	return list[len(list)/2]
}

// start starts the registries and pushes the image that is pulled.
func (b *bench) start(ctx context.Context) (err error) {
	ecrkit := filepath.Join(b.bin, "ecrkit")
	args := []string{"--addr", "127.0.0.1:0", "--quiet", "--data", filepath.Join(b.dir, "registry"),
		"--latency", b.latency.String(), "--per-connection-rate", fmt.Sprint(b.rate)}
	if b.local, err = stage.StartLocal(ctx, ecrkit, os.Stderr, args...); err != nil {
		return err
	}
	if b.near, err = stage.StartLocal(ctx, ecrkit, os.Stderr, "--addr", "127.0.0.1:0", "--quiet", "--data", filepath.Join(b.dir, "near")); err != nil {
		return err
	}
	path := "PATH=" + b.bin + ":/usr/bin:/usr/sbin:/bin:/sbin:" + os.Getenv("PATH")
	docker := filepath.Join(b.dir, ".docker")
	base := []string{path, "HOME=" + b.dir, "XDG_RUNTIME_DIR=" + b.dir, "DOCKER_CONFIG=" + docker}
	b.nearEnv = b.near.Environ(base)
	b.env = b.nearEnv
	near, err := b.output(ctx, "ecrkit", "auth", "token", b.near.Addr)
	if err != nil {
		return err
	}
	b.nearToken = strings.TrimSpace(near)
	b.env = b.local.Environ(base)
	if err := os.Mkdir(docker, 0o700); err != nil {
		return err
	}
	config := fmt.Sprintf(`{"credHelpers":{%q:"ecrkit"},"auths":{%q:{"auth":%q}}}`,
		b.local.Addr, b.near.Addr, base64.StdEncoding.EncodeToString([]byte("AWS:"+b.nearToken)))
	if err := os.WriteFile(filepath.Join(docker, "config.json"), []byte(config), 0o600); err != nil {
		return err
	}
	if err := writeImage(filepath.Join(b.dir, "image"), b.size); err != nil {
		return err
	}
	if _, err := b.local.ECR().CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: new("source")}); err != nil {
		return err
	}
	if err := b.command(ctx, "ecrkit", "push", "oci:"+filepath.Join(b.dir, "image")+":x", b.local.Addr+"/source:x"); err != nil {
		return err
	}
	token, err := b.output(ctx, "ecrkit", "auth", "token", b.local.Addr)
	b.token = strings.TrimSpace(token)
	return err
}

// pullLarge measures pulls of the large layer from the slow registry.
func (b *bench) pullLarge(ctx context.Context, e engine) (direct, proxied, again float64, err error) {
	return b.pull(ctx, e, b.local, "source:x")
}

// pull measures one pull directly, and two by a proxy that has nothing.
func (b *bench) pull(ctx context.Context, e engine, registry *stage.Local, name string) (direct, proxied, again float64, err error) {
	timed := func(image string) float64 {
		if err != nil {
			return 0
		}
		begin := time.Now()
		err = b.command(ctx, e.pull(image)...)
		took := time.Since(begin).Seconds()
		if err == nil {
			err = b.command(ctx, e.remove(image)...)
		}
		fmt.Fprintf(b.progress, "pull by %s of %s: %.2f s\n", e.name, image, took)
		return took
	}
	direct = timed(registry.Addr + "/" + name)
	if err != nil {
		return direct, 0, 0, err
	}
	p, err := b.startProxy(ctx, registry)
	if err != nil {
		return direct, 0, 0, err
	}
	defer p.stop()
	image := p.image(registry.Addr, name)
	proxied = timed(image)
	again = timed(image)
	return direct, proxied, again, err
}

// push measures one push directly, one by a proxy, and one to the registry that is not slow.
func (b *bench) push(ctx context.Context, e engine) (direct, proxied, fast float64, err error) {
	timed := func(registry *stage.Local, name func(repository string) string) float64 {
		if err != nil {
			return 0
		}
		b.number++
		repository := fmt.Sprintf("push-%d", b.number)
		if _, err = registry.ECR().CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: &repository}); err != nil {
			return 0
		}
		image := name(repository + ":x")
		if err = e.prepare(ctx, image); err != nil {
			return 0
		}
		begin := time.Now()
		err = b.command(ctx, e.push(image)...)
		took := time.Since(begin).Seconds()
		fmt.Fprintf(b.progress, "push by %s to %s: %.1f s\n", e.name, image, took)
		return took
	}
	direct = timed(b.local, func(name string) string { return b.local.Addr + "/" + name })
	if err != nil {
		return direct, 0, 0, err
	}
	p, err := b.startProxy(ctx, b.local)
	if err != nil {
		return direct, 0, 0, err
	}
	defer p.stop()
	proxied = timed(b.local, func(name string) string { return p.image(b.local.Addr, name) })
	fast = timed(b.near, func(name string) string { return b.near.Addr + "/" + name })
	return direct, proxied, fast, err
}

// environ is the environment of ecrkit before a registry.
func (b *bench) environ(registry *stage.Local) []string {
	if registry == b.near {
		return b.nearEnv
	}
	return b.env
}

func (b *bench) cmd(ctx context.Context, argv ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	if argv[0] == "ecrkit" {
		cmd.Path = filepath.Join(b.bin, "ecrkit")
		cmd.Err = nil
	}
	cmd.Env = b.env
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// command runs a command that must succeed.
func (b *bench) command(ctx context.Context, argv ...string) error {
	_, err := b.output(ctx, argv...)
	return err
}

// output runs a command that must succeed, and returns its output.
func (b *bench) output(ctx context.Context, argv ...string) (string, error) {
	var out, messages strings.Builder
	cmd := b.cmd(ctx, argv...)
	cmd.Stdout, cmd.Stderr = &out, &messages
	if err := cmd.Run(); err != nil {
		text := strings.ReplaceAll(strings.Join(argv, " ")+": "+err.Error()+"\n"+out.String()+messages.String(), b.token+" ", "")
		text = strings.ReplaceAll(text, b.nearToken+" ", "")
		return "", fmt.Errorf("%.2000s", text)
	}
	return out.String(), nil
}
