package doctor

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/http/httpproxy"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/internal/loopback"
	"github.com/ecrkit/ecrkit/internal/startup"
)

// Proxies returns the proxies of an environment, as net/http reads them.
func Proxies(env startup.Environment) *httpproxy.Config {
	get := func(name string) string {
		if value := env.Get(name); value != "" {
			return value
		}
		return env.Get(strings.ToLower(name))
	}
	return &httpproxy.Config{HTTPProxy: get("HTTP_PROXY"), HTTPSProxy: get("HTTPS_PROXY"), NoProxy: get("NO_PROXY"), CGI: env.Get("REQUEST_METHOD") != ""}
}

// proxy examines HTTPS_PROXY, HTTP_PROXY and NO_PROXY for the hosts that an image comes
// from: the API, the registry and Amazon S3.
type proxy struct{}

// Run implements [Check].
func (proxy) Run(ctx context.Context, s *Session) Finding {
	for _, name := range []string{"HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"} {
		upper, lower := s.Env.Get(name), s.Env.Get(strings.ToLower(name))
		if upper != "" && lower != "" && upper != lower {
			return warning(fmt.Sprintf("%s and %s differ: some programs read the one, some the other", name, strings.ToLower(name)), "Set both to the same value.")
		}
	}
	config := Proxies(s.Env)
	for name, value := range map[string]string{"HTTPS_PROXY": config.HTTPSProxy, "HTTP_PROXY": config.HTTPProxy} {
		if value != "" && !isProxy(value) {
			return failed(name+" is not a URL: it is ignored", "Set "+name+" to http://HOST:PORT.")
		}
	}
	through := config.ProxyFunc()
	by := map[string][]string{} // proxy, "" without one → hosts
	for _, t := range append(s.targets(ctx), s.layerTargets()...) {
		u, err := url.Parse(t.url)
		if err != nil || loopback.Is(u.Host) {
			continue
		}
		p, err := through(u)
		if err != nil {
			return failed(fmt.Sprintf("the proxy for %s is not a URL", u.Hostname()), "Set HTTPS_PROXY to http://HOST:PORT.")
		}
		at := ""
		if p != nil {
			at = p.Host
			if err := s.reachProxy(ctx, p); err != nil {
				return failed(fmt.Sprintf("the proxy %s can't be reached: %v", p.Host, reasonOf(err)),
					"Correct HTTPS_PROXY, or add the hosts of Amazon ECR and Amazon S3 to NO_PROXY if there is a direct way.")
			}
		}
		by[at] = append(by[at], u.Hostname())
	}
	if f := s.engineProxy(config); f.Status != "" {
		return f
	}
	return s.judgeProxies(ctx, config, by)
}

func (s *Session) judgeProxies(ctx context.Context, config *httpproxy.Config, by map[string][]string) Finding {
	direct := by[""]
	delete(by, "")
	switch {
	case len(by) == 0 && config.HTTPSProxy == "" && config.HTTPProxy == "":
		return ok("none")
	case len(by) == 0:
		return ok("not used for these hosts")
	case len(direct) > 0:
		return warning(fmt.Sprintf("NO_PROXY has %s, and not %s", strings.Join(direct, ", "), strings.Join(slices.Concat(values(by)...), ", ")),
			"Unless that is what you want: have the hosts of Amazon ECR and Amazon S3 (layers) take the same way, in NO_PROXY or not.")
	}
	if plan, err := s.Tokens.Minter.AWS.Plan(ctx, s.registry()); err == nil {
		metadata := map[auth.SourceKind]string{auth.KindIMDS: "169.254.169.254", auth.KindECS: "169.254.170.2", auth.KindPodIdentity: "169.254.170.23"}[plan.Source.Kind]
		if metadata != "" && !strings.Contains(config.NoProxy, metadata) {
			return warning("NO_PROXY lacks "+metadata+", from where credentials come", "Add "+metadata+" to NO_PROXY.")
		}
	}
	return ok("all hosts through " + strings.Join(keys(by), ", "))
}

// isProxy reports whether net/http can read the address of a proxy, a URL or HOST:PORT.
func isProxy(value string) bool {
	for _, scheme := range []string{"", "http://"} {
		if u, err := url.Parse(scheme + value); err == nil && u.Scheme != "" && u.Host != "" {
			return true
		}
	}
	return false
}

// engineProxy compares the proxies of the docker engine with those of the environment.
func (s *Session) engineProxy(config *httpproxy.Config) Finding {
	var e Engine
	s.know(func(f *facts) { e = f.engine })
	switch {
	case e.Version == "":
	case config.HTTPSProxy != "" && e.HTTPSProxy == "":
		return warning("HTTPS_PROXY is set here, and the docker engine, which downloads images, has no proxy", "Configure the proxy of the engine: https://docs.docker.com/engine/daemon/proxy/")
	case config.HTTPSProxy == "" && e.HTTPSProxy != "":
		return warning("the docker engine uses a proxy, and HTTPS_PROXY is not set here", "If docker fails and ecrkit does not, correct the proxy of the engine: https://docs.docker.com/engine/daemon/proxy/")
	}
	return Finding{}
}

// reachProxy opens a connection to a proxy.
func (s *Session) reachProxy(ctx context.Context, p *url.URL) error {
	port := p.Port()
	if port == "" {
		port = map[string]string{"https": "443", "socks5": "1080", "socks5h": "1080"}[p.Scheme]
	}
	if port == "" {
		port = "80"
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(p.Hostname(), port))
	if err != nil {
		return err
	}
	return conn.Close()
}

func keys(m map[string][]string) []string {
	var all []string
	for k := range m {
		all = append(all, k)
	}
	slices.Sort(all)
	return all
}

func values(m map[string][]string) [][]string {
	var all [][]string
	for _, k := range keys(m) {
		all = append(all, m[k])
	}
	return all
}
