package ref

import (
	"context"
	"os"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"github.com/ecrkit/ecrkit/internal/dockerconfig"
	"github.com/ecrkit/ecrkit/internal/startup"
)

// pathLogins is docker's configuration, in which a login can be for a path of a registry, as `podman login HOST/team`
// writes it: the longest path that leads to the repository counts. Docker's package does not know paths, and takes any
// login of the host, another one each time.
type pathLogins struct{}

// Resolve implements [authn.Keychain].
func (k pathLogins) Resolve(target authn.Resource) (authn.Authenticator, error) {
	return k.ResolveContext(context.Background(), target)
}

// ResolveContext implements [authn.ContextKeychain].
func (pathLogins) ResolveContext(ctx context.Context, target authn.Resource) (authn.Authenticator, error) {
	if key := pathKey(startup.Environment(os.LookupEnv), target); key != "" {
		// Another file than the one with the key may count: then there is no login for it.
		found, err := authn.Resolve(ctx, authn.DefaultKeychain, loginKey(key))
		if err != nil || found != authn.Anonymous {
			return found, err
		}
	}
	return authn.Resolve(ctx, authn.DefaultKeychain, target)
}

// loginKey is a key of auths, for which docker's package has no second guess.
type loginKey string

func (k loginKey) String() string      { return string(k) }
func (k loginKey) RegistryStr() string { return string(k) }

// pathKey returns the longest key with a path that leads to a repository, or "". A file that can't be read has none:
// the keychain reports it.
func pathKey(env startup.Environment, target authn.Resource) (longest string) {
	host, repository := target.RegistryStr(), target.String()
	if host == name.DefaultRegistry { // podman calls Docker Hub by its usual name
		host, repository = "docker.io", "docker.io"+strings.TrimPrefix(repository, name.DefaultRegistry)
	}
	for _, path := range []func(startup.Environment) (string, error){dockerconfig.DockerPath, dockerconfig.PodmanPath} {
		name, err := path(env)
		if err != nil {
			continue
		}
		file, err := dockerconfig.Load(name)
		if err != nil {
			continue
		}
		logins, err := file.Logins(host)
		if err != nil {
			continue
		}
		for _, login := range logins {
			if strings.Contains(login.Key, "/") && strings.HasPrefix(repository+"/", login.Key+"/") && len(login.Key) > len(longest) {
				longest = login.Key
			}
		}
	}
	return longest
}
