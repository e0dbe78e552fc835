package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/internal/startup"
	"github.com/ecrkit/ecrkit/internal/strictyaml"
	"github.com/ecrkit/ecrkit/localecr"
)

const defaultLocalAddr = "127.0.0.1:4510"

const localHelp = `Serve an Amazon ECR on this machine: the AWS API and the registry's /v2/ over one
store on disk, as strict as the real one. It needs no Docker and no AWS account.

  ecrkit local                                     # in one terminal
  eval "$(ecrkit local env)"                       # in another
  aws ecr create-repository --repository-name app --endpoint-url "$AWS_ENDPOINT_URL_ECR"
  docker push "$ECRKIT_REGISTRY/app:1.0"     # with a credHelpers entry in docker's config.json

It serves until SIGINT or SIGTERM. When it is ready it prints one line with its URL. SIGHUP makes it
read the files of --faults, --quotas, --accounts, --scan-findings and --upstreams again.

With images to begin with, from a layout, an archive or a registry, by any reference (see
ecrkit --help):

  ecrkit local --ephemeral --seed build --seed base/alpine:3=docker.io/library/alpine:3

For tests of what can go wrong:

  ecrkit local --time +13h                         # yesterday's tokens have expired
  ecrkit local --quotas default                    # throttles as AWS does
  ecrkit local --latency 20ms --per-connection-rate 20MiB
  ecrkit local --faults faults.yaml --audit calls.jsonl

Files, in YAML or JSON:

  --faults    a list: [{op: UploadLayerPart, nth: 3, status: 500},
              {op: "GET /layers/{digest}", reset_response_after: 1000}]
              which calls: op, repository, nth (1), count (1, -1 for all)
              one of: status (with code, message, retry_after), reset_request_after,
              reset_response_after, short_body, wrong_byte (all in bytes),
              stall (a duration, with stall_after in bytes)
  --scan-findings  what scans find, in JSON, as aws ecr describe-image-scan-findings prints it:
              {"repositoryName": "team/*", "imageId": {"imageTag": "1.*"},
              "imageScanFindings": {"findings": [...]}, "steps":
              [{"status": "PENDING"}, {"status": "COMPLETE", "after": "1m"}]}
  --quotas    {PutImage: {rate: 10, burst: 10}, ...}; what is not named is not limited
  --accounts  [{id: "111111111111", users: [{name: ci, access_key_id: ..., secret_access_key:
              ..., policies: [{Version: "2012-10-17", Statement: [...]}]}], roles: [...]}]
  --upstreams what pull-through cache rules may read from:
              {hosts: {registry-1.docker.io: "http://127.0.0.1:5000"}, secrets: {"arn:aws:
              secretsmanager:...": {username: ..., accessToken: ...}}}
  --audit     one JSON object a call is appended: time, op, endpoint, status, account,
              principal, repository, digest, range, bytesIn, bytesOut, error`

// localFlags are the flags of `ecrkit local`.
type localFlags struct {
	addr, downloadAddr, data, audit, quotas, faults, accounts, time, rate string

	ephemeral   bool
	sync        bool
	latency     time.Duration
	signing     time.Duration
	replication time.Duration
	preview     time.Duration
	restore     time.Duration
	scan        time.Duration
	findings    string
	upstreams   string
	quirksOff   []string
	hostNames   []string
	seeds       []string
	policy      policyFlags
	tls         bool
	tlsDir      string
}

func newLocalCommand(app *App) *cobra.Command {
	var f localFlags
	cmd := &cobra.Command{
		Use:   "local",
		Short: "Serve an Amazon ECR on this machine",
		Long:  localHelp,
		Args:  arguments(0),
		RunE:  func(cmd *cobra.Command, _ []string) error { return app.serveLocal(cmd.Context(), f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.addr, "addr", defaultLocalAddr, "`host:port` to listen on; port 0 picks a free one")
	flags.StringVar(&f.downloadAddr, "download-addr", "", "`host:port` to serve downloads on, or same: the port of --addr (default a free port of the same host)")
	flags.StringVar(&f.data, "data", "", "`directory` of the store (default $XDG_DATA_HOME/ecrkit/local)")
	flags.StringSliceVar(&f.hostNames, "host-name", nil, "further `names` that it answers to on a loopback address, such as host.docker.internal")
	flags.BoolVar(&f.ephemeral, "ephemeral", false, "use an empty store that is removed at the end")
	flags.BoolVar(&f.sync, "sync", false, "survive a loss of power: acknowledge a change when it is on the disk")
	flags.StringVar(&f.audit, "audit", "", "append every call to this `file`")
	flags.StringVar(&f.quotas, "quotas", "off", "calls per second: off, default (those of AWS) or a `file`")
	timeVar(flags, &f.latency, "latency", 0, "round-trip time of every connection")
	flags.StringVar(&f.rate, "per-connection-rate", "", "`bytes` per second of every connection, each way, such as 20MiB")
	timeVar(flags, &f.replication, "replication-time", localecr.DefaultReplicationTime, "how long replication takes after a push")
	timeVar(flags, &f.signing, "signing-time", localecr.DefaultSigningTime, "how long managed signing takes after a push")
	timeVar(flags, &f.preview, "preview-time", localecr.DefaultPreviewTime, "how long the preview of a lifecycle policy takes")
	timeVar(flags, &f.restore, "restore-time", localecr.DefaultRestoreTime, "how long an image takes from the archive back")
	timeVar(flags, &f.scan, "scan-time", localecr.DefaultScanTime, "how long a scan takes")
	flags.StringVar(&f.findings, "scan-findings", "", "`file`, or directory of files *.json, of what scans find")
	flags.StringVar(&f.upstreams, "upstreams", "", "`file` of the registries behind pull-through cache rules")
	flags.StringVar(&f.faults, "faults", "", "`file` of failures to happen")
	flags.StringVar(&f.time, "time", "", "start the service's clock at an RFC 3339 `time`, or ahead of now (+13h)")
	flags.StringVar(&f.accounts, "accounts", "", "`file` of accounts, keys and roles (default: account 000000000000)")
	flags.StringSliceVar(&f.quirksOff, "quirks-off", nil, "`names` of ECR's oddities on /v2/ to leave out: "+quirkNames())
	flags.BoolVar(&f.tls, "tls", false, "answer to HTTPS too, with certificates of an authority of its own")
	flags.StringVar(&f.tlsDir, "tls-dir", "", "`directory` of the authority (default $XDG_DATA_HOME/ecrkit/local-tls)")
	flags.StringArrayVar(&f.seeds, "seed", nil, "`[REPOSITORY[:TAG]=]SOURCE`: an image to begin with; may be repeated")
	addPolicyFlag(cmd, &f.policy)
	addNoPolicyFlag(cmd, &f.policy)
	cmd.AddCommand(newLocalEnvCommand(app), newLocalHealthCommand(app))
	return cmd
}

func quirkNames() string {
	var names []string
	for _, q := range localecr.Quirks() {
		names = append(names, string(q))
	}
	return strings.Join(names, ", ")
}

func (app *App) serveLocal(ctx context.Context, f localFlags) (err error) {
	hangups := catchHangups()
	defer hangups.stop()
	o, closeFiles, err := app.localOptions(f)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeFiles()) }()
	defer app.tuneMemory(localMemory, localGrowth)()
	seeds, err := app.parseSeeds(f.seeds)
	if err != nil {
		return err
	}
	if len(seeds) == 0 && (f.policy.file != "" || f.policy.none) {
		return usagef("--policy and --no-policy are for the images of --seed")
	}
	if len(seeds) > 0 {
		if _, err := app.policy(f.policy, nil); err != nil { // warns of --no-policy, too
			return err
		}
	}
	o.Seed = func(ctx context.Context, srv *localecr.Server) error {
		return app.seedServer(ctx, srv, seeds, f.policy)
	}
	srv, err := localecr.New(o)
	if errors.Is(err, localecr.ErrInUse) {
		return fmt.Errorf("%w; is `ecrkit local` running already? Use another --data, or --ephemeral", err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, srv.Close()) }()
	l, err := srv.Listen(f.addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return f.adviseAddress(err)
	}
	if errors.Is(err, syscall.EADDRNOTAVAIL) {
		return fmt.Errorf("%w; it is not an address of this machine", err)
	}
	if err != nil {
		return err
	}
	if !onLoopback(f.addr) {
		app.Messagef("ecrkit local: %s can be reached from other machines: whoever knows the published test keys may use it", f.addr)
	}
	defer hangups.each(ctx, func() { app.reloadLocal(srv, f) })()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- l.Serve(ctx) }()
	if err := srv.Seed(ctx); err != nil {
		stop()
		return errors.Join(err, <-ended)
	}
	ready := struct {
		URL      string `json:"url"`
		Registry string `json:"registry"`
		CA       string `json:"ca,omitempty"` // file
	}{URL: srv.URL, Registry: srv.Registry}
	env := "ecrkit local env --addr " + srv.Registry
	if o.TLSDir != "" {
		ready.CA = filepath.Join(o.TLSDir, localecr.CAFile)
		env += " --tls"
		if f.tlsDir != "" {
			env += " --tls-dir " + shellQuote(f.tlsDir)
		}
	}
	err = app.PrintResult(ready, "ecrkit local: "+srv.URL+"\n")
	if err == nil {
		err = app.flushResult(nil) // clients wait for it
	}
	if err != nil {
		stop()
		return errors.Join(err, <-ended)
	}
	where := "data in " + o.Dir
	if o.Dir == "" {
		where = "no data is kept"
	}
	app.Messagef("ecrkit local: %s; for clients: eval \"$(%s)\"; Ctrl-C ends it", where, env)
	return <-ended
}

// onLoopback reports whether only this machine can reach a listener at addr.
func onLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}

// localOptions turns flags into options. The caller closes the files that they need.
func (app *App) localOptions(f localFlags) (o localecr.Options, closeFiles func() error, err error) {
	closeFiles = func() error { return nil }
	if err := f.checkAddresses(); err != nil {
		return o, closeFiles, err
	}
	if f.data != "" && f.ephemeral {
		return o, closeFiles, usagef("--data and --ephemeral exclude each other")
	}
	if o.Sync = f.sync; f.sync && f.ephemeral {
		return o, closeFiles, usagef("--sync and --ephemeral exclude each other")
	}
	o.Clock, err = parseClock(f.time, app.Now())
	if err != nil {
		return o, closeFiles, err
	}
	for _, d := range []struct {
		flag string
		time time.Duration
		into *time.Duration
	}{{"signing-time", f.signing, &o.SigningTime}, {"preview-time", f.preview, &o.PreviewTime}, {"restore-time", f.restore, &o.RestoreTime}, {"scan-time", f.scan, &o.ScanTime}, {"replication-time", f.replication, &o.ReplicationTime}} {
		if d.time <= 0 {
			return o, closeFiles, usagef("--%s %v: must be more than 0", d.flag, d.time)
		}
		*d.into = d.time
	}
	o.DownloadAddr, o.HostNames, o.Shape.Latency = f.downloadAddr, f.hostNames, f.latency
	if f.rate != "" {
		rate, err := humanize.ParseBytes(strings.TrimSuffix(f.rate, "/s"))
		if err != nil || rate == 0 {
			return o, closeFiles, usagef("--per-connection-rate %s: write bytes per second, such as 20MiB", f.rate)
		}
		o.Shape.Rate = int64(rate)
	}
	for _, name := range f.quirksOff {
		q, err := localecr.ParseQuirk(name)
		if err != nil {
			return o, closeFiles, usagef("--quirks-off: %w", err)
		}
		o.QuirksOff = append(o.QuirksOff, q)
	}
	switch f.quotas {
	case "off":
	case "default":
		o.Quotas = localecr.DefaultQuotas()
	default:
		if o.Quotas, err = readFile(app, f.quotas, localecr.ReadQuotas); errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("--quotas must be off, default or a file: %w", err)
		}
		if err != nil {
			return o, closeFiles, err
		}
	}
	if f.faults != "" {
		if o.Faults, err = readFile(app, f.faults, localecr.ReadFaults); err != nil {
			return o, closeFiles, err
		}
	}
	if f.findings != "" {
		if o.ScanFindings, err = localecr.LoadScanFindings(app.context(), f.findings); err != nil {
			return o, closeFiles, usagef("%w", err)
		}
	}
	if f.upstreams != "" {
		if o.Upstreams, err = readFile(app, f.upstreams, localecr.ReadUpstreams); err != nil {
			return o, closeFiles, err
		}
	}
	if o.Accounts, err = app.readAccountsFile(f.accounts); err != nil {
		return o, closeFiles, err
	}
	level := slog.LevelWarn
	if app.Verbose {
		level = slog.LevelDebug
	}
	o.Logger = slog.New(slog.NewTextHandler(app.Stderr, &slog.HandlerOptions{Level: level}))
	if !f.ephemeral {
		if o.Dir, err = app.localDataDir(f.data); err == nil {
			err = checkDirectory("data", o.Dir)
		}
		if err != nil {
			return o, closeFiles, err
		}
	}
	if f.tls {
		if o.TLSDir, err = app.localTLSDir(f.tlsDir); err == nil {
			err = checkDirectory("tls-dir", o.TLSDir)
		}
		if err != nil {
			return o, closeFiles, err
		}
	} else if f.tlsDir != "" {
		return o, closeFiles, usagef("--tls-dir needs --tls")
	}
	if f.audit != "" {
		if info, err := os.Stat(f.audit); err == nil && info.IsDir() {
			return o, closeFiles, usagef("--audit %s: it is a directory; name a file", f.audit)
		}
		file, err := app.openAppended(f.audit, 0o600)
		if err != nil {
			return o, closeFiles, usagef("--audit: %w", err)
		}
		o.Audit = localecr.AuditTo(file, func(err error) { o.Logger.Error("local ECR", "error", err) })
		closeFiles = file.Close
	}
	return o, closeFiles, nil
}

// checkDirectory refuses a file where a flag needs a directory, which may be missing.
func checkDirectory(flag, path string) error {
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		return usagef("--%s %s: it is not a directory; name a directory, which is made if it is missing", flag, path)
	}
	return nil
}

// parseClock reads --time: an RFC 3339 time, or a duration with its sign from now.
func parseClock(text string, now time.Time) (*localecr.Clock, error) {
	clock := &localecr.Clock{}
	if text == "" {
		return clock, nil
	}
	if d, err := time.ParseDuration(text); err == nil && strings.ContainsAny(text[:1], "+-") {
		clock.Advance(d)
		return clock, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return nil, usagef("--time %s: write a time such as 2026-01-31T12:00:00Z, or a duration from now such as +13h", text)
	}
	clock.Advance(t.Sub(now))
	return clock, nil
}

func readFile[T any](app *App, path string, read func(io.Reader) (T, error)) (T, error) {
	var none T
	f, err := app.openText(path)
	if err != nil {
		return none, usageError{err}
	}
	defer f.Close() // opened for reading
	v, err := read(f)
	if err != nil {
		return none, usagef("%s: %w", path, err)
	}
	return v, nil
}

// readAccountsFile reads --accounts; without it there are the default ones.
func (app *App) readAccountsFile(path string) ([]localecr.Account, error) {
	if path == "" {
		return localecr.DefaultAccounts(), nil
	}
	return readFile(app, path, readAccounts)
}

func readAccounts(r io.Reader) ([]localecr.Account, error) {
	var accounts []localecr.Account
	if err := strictyaml.Decode(r, &accounts); err != nil {
		return nil, fmt.Errorf("accounts: %w", err)
	}
	if len(accounts) == 0 {
		return nil, errors.New("accounts: the list is empty")
	}
	if err := localecr.CheckAccounts(accounts); err != nil {
		return nil, fmt.Errorf("accounts: %w", err)
	}
	return accounts, nil
}

// localTLSDir is where the authority is kept: the flag's, or beside the store.
func (app *App) localTLSDir(flag string) (string, error) {
	if flag != "" {
		return filepath.Abs(flag)
	}
	if dir := startup.Environment(app.Env).DataDir(); dir != "" {
		return filepath.Join(dir, "local-tls"), nil
	}
	return "", usagef("neither XDG_DATA_HOME nor %s is set to an absolute path: use --tls-dir DIRECTORY", startup.HomeVariable)
}

// localDataDir is where the store is kept: the flag's, or the user's data directory.
func (app *App) localDataDir(flag string) (string, error) {
	if flag != "" {
		return flag, nil
	}
	if dir := startup.Environment(app.Env).DataDir(); dir != "" {
		return filepath.Join(dir, "local"), nil
	}
	return "", usagef("neither XDG_DATA_HOME nor %s is set to an absolute path: use --data DIRECTORY or --ephemeral", startup.HomeVariable)
}
