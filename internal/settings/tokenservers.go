package settings

import (
	"errors"
	"fmt"
	"strings"

	"github.com/ecrkit/ecrkit/internal/loopback"
	"github.com/ecrkit/ecrkit/internal/registryname"
	"github.com/ecrkit/ecrkit/internal/startup"
)

// TokenServersVariable is the environment variable that names the token servers of
// registries outside Amazon ECR: REGISTRY=SERVER,…, each a host[:port].
const TokenServersVariable = "ECRKIT_TOKEN_SERVERS"

// tokenServers returns the token servers of the file with those of the environment, which
// win, by the registry in its canonical spelling.
func tokenServers(path string, file map[string]string, env startup.Environment) (map[string]string, error) {
	servers := map[string]string{}
	add := func(registry, server string) error {
		host, err := registryname.Host(strings.TrimSpace(registry))
		if err != nil {
			return fmt.Errorf("%q: %w", registry, err)
		}
		server = strings.TrimSpace(server)
		if _, err := registryname.Host(server); err != nil {
			return fmt.Errorf("%q: %w; write HOST or HOST:PORT, without https://", server, err)
		}
		if loopback.IsMetadata(server) {
			return fmt.Errorf("%q is an address of instance metadata, not of a token server", server)
		}
		servers[host] = server
		return nil
	}
	for registry, server := range file {
		if err := add(registry, server); err != nil {
			return nil, fmt.Errorf("%s: token_servers: %w", path, err)
		}
	}
	for entry := range strings.SplitSeq(env.Get(TokenServersVariable), ",") {
		if entry = strings.TrimSpace(entry); entry == "" {
			continue
		}
		registry, server, ok := strings.Cut(entry, "=")
		err := errors.New("there is no = in it; write REGISTRY=SERVER, as in registry.example.com=10.0.0.5:5001")
		if ok {
			err = add(registry, server)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", TokenServersVariable, err)
		}
	}
	return servers, nil
}
