package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

const proxyUnitHelp = `Print the systemd units of a proxy: a socket that starts the service, and the service.

  cd /etc/systemd/system
  ecrkit proxy unit service --policy /etc/ecrkit/policy.yaml | sudo tee ecrkit-proxy.service
  ecrkit proxy unit socket | sudo tee ecrkit-proxy.socket
  sudo systemctl daemon-reload && sudo systemctl enable --now ecrkit-proxy.socket

Without an argument both are printed, each after a line with its path. Flags are those of
` + "`ecrkit proxy`" + `, and --service-user. Without that the service has a user of its own, which has the
credentials of the machine's role; variables such as AWS_PROFILE are read from
/etc/ecrkit/proxy.env. ` + "`systemctl reload ecrkit-proxy`" + ` reads the policy again.`

// unitDir is where systemd reads the units of the machine's administrator.
const unitDir = "/etc/systemd/system"

// proxyUnits are a socket and a service of systemd: systemd.socket(5), systemd.exec(5).
type proxyUnits struct {
	Service string `json:"service"`
	Socket  string `json:"socket"`
}

func newProxyUnitCommand(app *App) *cobra.Command {
	var f proxyFlags
	var user string
	cmd := &cobra.Command{
		Use:       "unit [service|socket]",
		Short:     "Print the systemd units of a proxy",
		Long:      proxyUnitHelp,
		Args:      cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"service", "socket"},
		RunE: func(_ *cobra.Command, args []string) error {
			return app.printProxyUnits(f, user, args)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.addr, "addr", defaultProxyAddr, "`host:port` to listen on")
	f.add(flags)
	flags.StringVar(&f.policy.file, "policy", "", "`file` with the signing policy")
	flags.StringVar(&user, "service-user", "", "`user` of the service (default one of its own)")
	return cmd
}

func (app *App) printProxyUnits(f proxyFlags, user string, args []string) error {
	if !onLoopback(f.addr) && !f.remote {
		return usagef("--addr %s can be reached from other machines, which would read with the credentials of this one; use a loopback address, or add --allow-remote", f.addr)
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	units := proxyUnits{Service: proxyService(program, f, user), Socket: proxySocket(f.addr)}
	text := fmt.Sprintf("# %s/ecrkit-proxy.service\n%s\n# %s/ecrkit-proxy.socket\n%s", unitDir, units.Service, unitDir, units.Socket)
	if len(args) == 1 {
		text = map[string]string{"service": units.Service, "socket": units.Socket}[args[0]]
	}
	return app.PrintResult(units, text)
}

func proxySocket(addr string) string {
	return `[Unit]
Description=Socket of the ecrkit proxy

[Socket]
ListenStream=` + addr + `

[Install]
WantedBy=sockets.target
`
}

func proxyService(program string, f proxyFlags, user string) string {
	command := []string{program, "proxy", "--cache", "%C/ecrkit-proxy", "--cache-size", f.cacheSize}
	add := func(flag, value string) {
		if value != "" {
			command = append(command, flag, strings.ReplaceAll(value, "%", "%%"))
		}
	}
	absolute := func(path string) string {
		if full, err := filepath.Abs(path); path != "" && err == nil {
			return full
		}
		return path
	}
	add("--policy", absolute(f.policy.file))
	add("--allow", strings.Join(f.allow, ","))
	add("--allow-file", absolute(f.allowFile))
	for _, o := range []struct {
		flag string
		set  bool
	}{{"--allow-remote", f.remote}, {"--allow-push", f.push}, {"--offline-tags", f.offlineTags}, {"--prefetch", f.prefetch}} {
		if o.set {
			command = append(command, o.flag)
		}
	}
	for i, word := range command {
		command[i] = systemdWord(word)
	}
	who := "DynamicUser=yes"
	if user != "" {
		who = "User=" + user
	}
	return `[Unit]
Description=ecrkit proxy: images of Amazon ECR for the engines on this machine
Documentation=https://github.com/ecrkit/ecrkit/blob/main/docs/proxy.md
Requires=ecrkit-proxy.socket
Wants=network-online.target
After=network-online.target ecrkit-proxy.socket

[Service]
Type=exec
ExecStart=` + strings.Join(command, " ") + `
ExecReload=/bin/kill -HUP $MAINPID
Restart=on-failure
TimeoutStopSec=40
` + who + `
CacheDirectory=ecrkit-proxy
CacheDirectoryMode=0700
Environment=XDG_CACHE_HOME=%C/ecrkit-proxy
EnvironmentFile=-/etc/ecrkit/proxy.env
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX

[Install]
Also=ecrkit-proxy.socket
WantedBy=multi-user.target
`
}

// systemdWord quotes a word of a command line: systemd.service(5), "Command lines". A percent
// sign that is no specifier was doubled before.
func systemdWord(word string) string {
	word = strings.ReplaceAll(word, "$", "$$")
	if !strings.ContainsAny(word, " \t\"'\\;") {
		return word
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(word) + `"`
}
