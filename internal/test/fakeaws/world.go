package fakeaws

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/ecrkit/ecrkit/internal/files"
)

// Options of a world. The zero value is one with the machine's time.
type Options struct {
	Now func() time.Time // of all services
}

// A World is all the services at once, over one table of principals.
type World struct {
	Principals *Principals
	ECR        *ECR // and STS
	Public     *Public
	Portal     *Portal
	Metadata   *Metadata
	Container  *Container
	Proxy      *Proxy // to Container for 169.254.170.2, 169.254.170.23 and fd00:ec2::23
	BlackHole  *BlackHole
}

// New makes a world that does not listen yet.
func New(o Options) *World {
	p := NewPrincipals(o.Now)
	w := &World{
		Principals: p, ECR: NewECR(p), Public: NewPublic(p), Portal: NewPortal(p), Metadata: NewMetadata(p),
		Container: NewContainer(p), Proxy: NewProxy(), BlackHole: NewBlackHole(),
	}
	for _, host := range []string{"169.254.170.2", "169.254.170.23", "fd00:ec2::23"} {
		w.Proxy.Forward(host, w.Container)
	}
	return w
}

// Start makes a world that listens until the test ends.
func Start(t TB, o Options) *World {
	t.Helper()
	w := New(o)
	for _, s := range w.services() {
		s.Start(t)
	}
	return w
}

// service is what the services of a world have in common.
type service interface {
	Start(TB)
	Listen() error
	Close() error
	Calls() map[string]int
	Reset()
}

func (w *World) services() map[string]service {
	return map[string]service{
		"ecr": w.ECR, "ecr-public": w.Public, "sso": w.Portal, "imds": w.Metadata,
		"container": w.Container, "proxy": w.Proxy, "blackhole": w.BlackHole,
	}
}

// Listen starts all services, for programs that are not tests. They call Close in the end.
func (w *World) Listen() error {
	for _, s := range w.services() {
		if err := s.Listen(); err != nil {
			return errors.Join(err, w.Close())
		}
	}
	return nil
}

// Close ends all services.
func (w *World) Close() error {
	var err error
	for _, s := range w.services() {
		err = errors.Join(err, s.Close())
	}
	return err
}

// Calls returns the calls of all services, as SERVICE.OPERATION: ecr.GetAuthorizationToken,
// ecr.AssumeRole, ecr-public.GetAuthorizationToken, sso.CreateToken, imds.GetToken,
// container.GetCredentials, proxy.refused, blackhole.attempt.
func (w *World) Calls() map[string]int {
	out := map[string]int{}
	for name, s := range w.services() {
		for op, n := range s.Calls() {
			out[name+"."+op] = n
		}
	}
	return out
}

// Connections returns how many TCP connections were made to any of the services.
func (w *World) Connections() int {
	return w.ECR.Connections() + w.Public.Connections() + w.Portal.Connections() + w.Metadata.Connections() +
		w.Container.Connections() + w.Proxy.Connections() + w.BlackHole.Count(Attempt)
}

// Reset sets all counts to zero. Users, roles, tasks and faults stay.
func (w *World) Reset() {
	for _, s := range w.services() {
		s.Reset()
	}
}

// Env is the whole environment of a client, as NAME=VALUE: the services of this world, files below
// home, PATH, and nothing else of the machine. What would leave the machine goes to the proxy. There
// are no credentials in it. Each of extra is NAME=VALUE, which replaces one of that name, or NAME,
// which takes it away.
func (w *World) Env(home string, extra ...string) []string {
	env := []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + home,
		"XDG_CONFIG_HOME=" + filepath.Join(home, ".config"),
		"XDG_CACHE_HOME=" + filepath.Join(home, ".cache"),
		"AWS_CONFIG_FILE=" + filepath.Join(home, ".aws", "config"),
		"AWS_SHARED_CREDENTIALS_FILE=" + filepath.Join(home, ".aws", "credentials"),
		"AWS_ENDPOINT_URL_ECR=" + w.ECR.URL,
		"AWS_ENDPOINT_URL_ECR_PUBLIC=" + w.Public.URL,
		"AWS_ENDPOINT_URL_STS=" + w.ECR.URL,
		"AWS_ENDPOINT_URL_SSO=" + w.Portal.URL,
		"AWS_ENDPOINT_URL_SSO_OIDC=" + w.Portal.URL,
		"AWS_EC2_METADATA_SERVICE_ENDPOINT=" + w.Metadata.URL,
		"NO_PROXY=127.0.0.1,localhost",
	}
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
		if runtime.GOOS == "windows" && name != strings.ToUpper(name) {
			continue // there the two are one
		}
		env = append(env, name+"="+w.Proxy.URL)
	}
	if runtime.GOOS == "windows" {
		env = append(env, "USERPROFILE="+home, "LOCALAPPDATA="+filepath.Join(home, "AppData", "Local"),
			"APPDATA="+filepath.Join(home, "AppData", "Roaming"), "SYSTEMROOT="+os.Getenv("SYSTEMROOT"))
	}
	for _, e := range extra {
		name, _, set := strings.Cut(e, "=")
		env = slices.DeleteFunc(env, func(old string) bool { return strings.HasPrefix(old, name+"=") })
		if set {
			env = append(env, e)
		}
	}
	return env
}

// Setenv puts an environment that Env made in the place of the process's, for the time of a test that
// calls the AWS SDK itself. What cannot be unset is empty: variables of AWS, of ecrkit and of proxies.
// The proxies of the environment do not work this way, for net/http reads them once.
func Setenv(t interface{ Setenv(name, value string) }, env []string) {
	for _, e := range os.Environ() {
		name, _, _ := strings.Cut(e, "=")
		upper := strings.ToUpper(name)
		if strings.HasPrefix(upper, "AWS_") || strings.HasPrefix(upper, "ECRKIT_") || strings.HasSuffix(upper, "_PROXY") {
			t.Setenv(name, "")
		}
	}
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		t.Setenv(name, value)
	}
}

// WriteConfig writes the AWS config file of a home directory.
func WriteConfig(home, text string) error {
	path := filepath.Join(home, ".aws", "config")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("AWS config: %w", err)
	}
	if err := files.WriteFileUnsynced(path, []byte(text), 0o600); err != nil {
		return fmt.Errorf("AWS config: %w", err)
	}
	return nil
}
