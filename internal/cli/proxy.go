package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"path/filepath"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ecrkit/ecrkit/internal/codepages"
	"github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/internal/startup"
	"github.com/ecrkit/ecrkit/proxy"
	"github.com/ecrkit/ecrkit/transfer/content"
)

const defaultProxyAddr = "127.0.0.1:4511"

const proxyHelp = `Serve images of Amazon ECR to docker, podman and containerd on this machine.

  ecrkit proxy                                     # in one terminal
  docker pull 127.0.0.1:4511/123456789012.dkr.ecr.us-east-1.amazonaws.com/app:1.2

An engine reads a layer over one connection. The proxy reads it over several, once for all
clients, and passes the bytes on as they arrive. The last bytes of a layer wait until its digest
agrees. What was read is kept in a cache; a digest is then answered without the registry, and a
tag asks the registry each time.

Name an image by registry and repository, as in the example, and write the port of a registry with
an underscore: 127.0.0.1:4511/127.0.0.1_4510/app:1.2. Clients with mirrors, such as containerd,
name the registry by the query ns=HOST.

Only registries of Amazon ECR are served, those of ECRKIT_REGISTRIES too, and the hosts of
--allow and --allow-file (one a line; # begins a comment). The proxy has the credentials of
ecrkit; those of clients are ignored. Whoever reaches its address reads with these credentials:
another address than a loopback one needs --allow-remote.

With --allow-push clients also push by these names: docker push 127.0.0.1:4511/HOST/app:1.2. A layer
goes to Amazon ECR in parts, several at once, while the client sends it. Whoever reaches the address
then writes with these credentials.

With --policy a manifest is answered only if it is signed as the policy requires. Otherwise the
client gets the status 403 with the reason, or 503 if the signatures cannot be checked. An image
that is pushed is signed and verified as ecrkit push does, before its tag is set.

It serves until SIGINT or SIGTERM, and then finishes answers for up to 30 seconds. SIGHUP makes
it read the policy, its keys and --allow-file again. When it is ready it prints one line with its
URL. It writes lines of JSON to stderr: warnings, and with --verbose one for each request.
/healthz and /metrics (for Prometheus) are for supervisors; ` + "`ecrkit proxy status`" + ` shows both.`

// proxyFlags are the flags of `ecrkit proxy`.
type proxyFlags struct {
	addr, socket, cache, cacheSize, allowFile string
	allow                                     []string
	policy                                    policyFlags
	remote, prefetch, push, offlineTags       bool
	connections, allConnections               int
}

func newProxyCommand(app *App) *cobra.Command {
	var f proxyFlags
	cmd := &cobra.Command{
		Use:   "proxy",
		Short: "Serve images to the engines on this machine, fast and verified",
		Long:  proxyHelp,
		Args:  arguments(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.socket != "" && cmd.Flags().Changed("addr") {
				return usagef("--addr and --socket exclude each other")
			}
			return app.serveProxy(cmd.Context(), f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.addr, "addr", defaultProxyAddr, "`host:port` to listen on; port 0 picks a free one")
	flags.StringVar(&f.socket, "socket", "", "listen on a Unix socket at this `path` instead, for this user")
	f.add(flags)
	addPolicyFlag(cmd, &f.policy)
	addNoPolicyFlag(cmd, &f.policy)
	flags.StringVar(&f.cache, "cache", "", "`directory` of the cache (default proxy in ecrkit's cache directory)")
	numberVar(flags, &f.connections, "connections", 1, maxConnections, "connections for one layer (default 8)")
	numberVar(flags, &f.allConnections, "all-connections", 1, maxConnections, "connections for all layers together (default 64)")
	cmd.AddCommand(newProxySetupCommand(app), newProxyStatusCommand(app), newProxyUnitCommand(app))
	return cmd
}

// add adds the flags that the units of systemd pass on.
func (f *proxyFlags) add(flags *pflag.FlagSet) {
	flags.BoolVar(&f.remote, "allow-remote", false, "listen on an address that other machines can reach")
	flags.StringSliceVar(&f.allow, "allow", nil, "further `hosts` of registries to serve, such as ghcr.io")
	flags.StringVar(&f.allowFile, "allow-file", "", "`file` with further hosts of registries to serve")
	flags.BoolVar(&f.push, "allow-push", false, "let clients push, with the credentials of ecrkit")
	flags.StringVar(&f.cacheSize, "cache-size", "20GiB", "most `bytes` that the cache keeps")
	flags.BoolVar(&f.prefetch, "prefetch", false, "fetch a layer to its end when its last client has gone")
	flags.BoolVar(&f.offlineTags, "offline-tags", false, "answer a tag as it was last if the registry cannot be reached")
}

func (app *App) serveProxy(ctx context.Context, f proxyFlags) error {
	level := slog.LevelWarn
	if app.Verbose {
		level = slog.LevelInfo
	}
	logger := slog.New(slog.NewJSONHandler(app.Stderr, &slog.HandlerOptions{Level: level}))
	app.callLog = logger
	hangups := catchHangups()
	defer hangups.stop()
	rules, err := app.proxyRules(f)
	if err != nil {
		return err
	}
	// Buffers of many connections are collected sooner. No limit: uploads may need 80 MiB more for a while.
	defer app.tuneMemory(math.MaxInt64, proxyGrowth)()
	defer app.withRoom(proxyRoom)()
	options, err := app.proxyOptions(f, rules, logger)
	if err != nil {
		return err
	}
	cache, err := app.proxyCache(f)
	if err != nil {
		return err
	}
	defer cache.Close()
	listeners, err := app.proxyListeners(f)
	if err != nil {
		return err
	}
	defer closeListeners(listeners) // those that are not served
	handler := proxy.New(cache, options)
	defer handler.Close()
	serving, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- handler.Serve(serving, listeners...) }()
	defer hangups.each(ctx, func() { app.reloadProxy(rules, f, options.Logger) })()
	ready := struct {
		URL string `json:"url"`
	}{listenerURL(listeners[0])}
	if err = app.PrintResult(ready, "ecrkit proxy: "+ready.URL+"\n"); err == nil {
		err = app.flushResult(nil) // clients wait for it
	}
	codepages.Release() // what has set it up
	if err != nil {
		stop()
	}
	return errors.Join(err, <-ended)
}

// proxyOptions turns flags into options.
func (app *App) proxyOptions(f proxyFlags, rules *proxyRules, logger *slog.Logger) (proxy.Options, error) {
	local := f.socket != "" || onLoopback(f.addr)
	if !local && !f.remote {
		return proxy.Options{}, usagef("--addr %s can be reached from other machines, which would read with your credentials; use a loopback address, or add --allow-remote", f.addr)
	}
	if f.connections < 0 {
		return proxy.Options{}, usagef("--connections %d: must be more than 0", f.connections)
	}
	if f.allConnections < 0 {
		return proxy.Options{}, usagef("--all-connections %d: must be more than 0", f.allConnections)
	}
	opener, err := app.opener()
	if err != nil {
		return proxy.Options{}, err
	}
	return proxy.Options{
		Allowed: rules.allowed,
		Demand:  rules.demand,
		Open: func(ctx context.Context, host, repository string) (content.Source, error) {
			r, err := rules.parse(host + "/" + repository)
			if err != nil {
				return nil, err
			}
			if !r.IsRepository() {
				return nil, fmt.Errorf("%s: %w: not a repository of a registry", r, content.ErrUnsupported)
			}
			return opener.Source(ctx, r)
		},
		Connections: f.connections, AllConnections: f.allConnections, Prefetch: f.prefetch, OfflineTags: f.offlineTags, Push: f.push,
		AnyHost:   !local || f.socket != "", // no web page reaches a socket
		BeforeTag: proxyBeforeTag(rules, logger), Logger: logger,
	}, nil
}

// proxyCache opens the cache.
func (app *App) proxyCache(f proxyFlags) (*proxy.Cache, error) {
	size, err := humanize.ParseBytes(f.cacheSize)
	if err != nil || size == 0 || size > 1<<50 {
		return nil, usagef("--cache-size %s: write bytes, such as 20GiB", f.cacheSize)
	}
	dir := cmp.Or(f.cache, app.defaultProxyCache())
	if dir == "" {
		return nil, usagef("neither XDG_CACHE_HOME nor %s is set to an absolute path: use --cache DIRECTORY", startup.HomeVariable)
	}
	cache, err := proxy.OpenCache(dir, int64(size))
	if errors.Is(err, files.ErrLocked) {
		return nil, fmt.Errorf("%w; is `ecrkit proxy` running already? Use another --cache", err)
	}
	return cache, err
}

// defaultProxyCache returns the directory of the cache without --cache; "" if there is no directory for caches.
func (app *App) defaultProxyCache() string {
	root := startup.Environment(app.Env).DefaultCache()
	if root == "" {
		return ""
	}
	return filepath.Join(root, "proxy")
}
