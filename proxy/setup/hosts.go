package setup

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/ecrkit/ecrkit/internal/loopback"
	"github.com/ecrkit/ecrkit/internal/registryname"
)

// hostsFile is the hosts.toml of a registry, for containerd
// (https://github.com/containerd/containerd/blob/main/docs/hosts.md) and docker from 29 on
// (https://docs.docker.com/engine/daemon/configure-registry/).
func (s *Setup) hostsFile(dir, host string) managed {
	restore := func(text []byte) ([]byte, error) {
		if start, _, err := findBlock(text, host); start < 0 {
			return text, err
		}
		clean, err := cutBlock(text, host)
		return turnOn(clean), err
	}
	return managed{
		path:   s.path(dir, host, "hosts.toml"),
		remove: restore,
		set: func(text []byte) ([]byte, error) {
			clean, err := restore(text)
			if err != nil {
				return nil, err
			}
			endpoints := []string{
				fmt.Sprintf("[host.%q]", s.Proxy), `  capabilities = ["pull", "resolve"]`,
			}
			if s.Engine == Docker {
				if foreign, err := s.isForeign(host); err != nil {
					return nil, err
				} else if foreign {
					endpoints = append(endpoints, foreignMark)
				}
			}
			if !s.Fallback {
				// Everything else is another endpoint, or belongs to one. containerd does not
				// name the registry when it pushes, so pushes go there themselves.
				only := append([]string{fmt.Sprintf("server = %q", s.Proxy)}, endpoints...)
				only = append(only, fmt.Sprintf("[host.%q]", registryURL(host)), `  capabilities = ["push"]`)
				return checked(addBlock(turnOff(clean), 0, host, only...))
			}
			at, err := firstTable(clean)
			if err != nil {
				return nil, err
			}
			edited, err := checked(addBlock(clean, at, host, endpoints...))
			if err != nil {
				return nil, err
			}
			return edited, sameBesides(clean, edited, "host", s.Proxy.String())
		},
	}
}

// registryURL is where containerd finds a registry by itself.
func registryURL(host string) string {
	switch {
	case host == registryname.DockerHub:
		return "https://registry-1.docker.io"
	case loopback.Is(host):
		return "http://" + host
	}
	return "https://" + host
}

// checked returns a text unless it is no TOML.
func checked(text []byte) ([]byte, error) {
	_, err := decode(text)
	return text, err
}

func decode(text []byte) (map[string]any, error) {
	document := map[string]any{}
	if err := toml.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("not TOML that ecrkit can add to: %w", err)
	}
	return document, nil
}

// sameBesides returns an error if an edit has changed more than the tables section.KEY.
func sameBesides(before, after []byte, section string, keys ...string) error {
	old, err := decode(before)
	if err != nil {
		return err
	}
	edited, err := decode(after)
	if err != nil {
		return err
	}
	for _, document := range []map[string]any{old, edited} {
		table, _ := document[section].(map[string]any)
		for _, key := range keys {
			delete(table, key)
		}
		if len(table) == 0 {
			delete(document, section)
		}
	}
	if !reflect.DeepEqual(old, edited) {
		return fmt.Errorf("ecrkit cannot add to %s without changing other settings; add it by hand", section)
	}
	return nil
}

// firstTable returns the byte at which the line of the first table begins, or the length of
// the text.
func firstTable(text []byte) (int, error) {
	at := len(text)
	err := expressions(text, func(e *unstable.Node) {
		if e.Kind != unstable.Table && e.Kind != unstable.ArrayTable {
			return
		}
		// The node is the table's key: its line begins with the bracket.
		first := int(e.Child().Raw.Offset)
		if line := strings.LastIndexByte(string(text[:first]), '\n') + 1; line < at {
			at = line
		}
	})
	return at, err
}

// expressions calls do with each expression at the top of a TOML document.
func expressions(text []byte, do func(*unstable.Node)) error {
	p := unstable.Parser{}
	p.Reset(text)
	for p.NextExpression() {
		do(p.Expression())
	}
	return p.Error()
}

// endpoint is where an engine may read a registry.
type endpoint struct {
	url  string
	pull bool // it may pull and resolve there
}

// endpoints returns those that a hosts.toml names, in the order in which containerd tries
// them. The last one is the server.
func endpoints(text []byte, host string) ([]endpoint, error) {
	var file struct {
		Server       string    `toml:"server"`
		Capabilities *[]string `toml:"capabilities"`
		Host         map[string]struct {
			Capabilities *[]string `toml:"capabilities"`
		} `toml:"host"`
	}
	if err := toml.Unmarshal(text, &file); err != nil {
		return nil, err
	}
	var list []endpoint
	seen := map[string]bool{}
	err := expressions(text, func(e *unstable.Node) {
		keys := e.Key()
		if e.Kind != unstable.Table || !keys.Next() || string(keys.Node().Data) != "host" || !keys.Next() {
			return
		}
		name := string(keys.Node().Data)
		if h, ok := file.Host[name]; ok && !seen[name] {
			seen[name] = true
			list = append(list, endpoint{name, canPull(h.Capabilities)})
		}
	})
	if err != nil {
		return nil, err
	}
	for name, h := range file.Host { // an inline table has no order
		if !seen[name] {
			list = append(list, endpoint{name, canPull(h.Capabilities)})
		}
	}
	server := file.Server
	if server == "" {
		server = registryURL(host)
	}
	return append(list, endpoint{server, canPull(file.Capabilities)}), nil
}

// canPull reports whether capabilities are such that images can be read. Without any, all are meant.
func canPull(capabilities *[]string) bool {
	return capabilities == nil || slices.Contains(*capabilities, "pull") || slices.Contains(*capabilities, "resolve")
}
