package setup

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tailscale/hujson"
)

const insecureKey = "insecure-registries"

// foreignMark is a line in the block of a hosts.toml: the proxy was in daemon.json before.
const foreignMark = "# " + insecureKey + " of docker had the proxy already"

// daemonFile is the configuration of the docker engine, which speaks plain HTTP to another
// machine only if it is told to. A proxy on this machine needs no entry.
// All registries share the entry.
func (s *Setup) daemonFile(host string) managed {
	return managed{
		path: s.path("etc/docker/daemon.json"),
		set:  func(text []byte) ([]byte, error) { return addInsecure(text, s.Proxy.Host) },
		remove: func(text []byte) ([]byte, error) {
			if others, err := s.others(host); err != nil || len(others) > 0 {
				return text, err
			}
			block, err := s.ownBlock(host)
			if err != nil || block == "" || strings.Contains(block, foreignMark) {
				return text, err
			}
			return cutInsecure(text, s.Proxy.Host)
		},
	}
}

// isForeign reports whether the entry of the proxy in daemon.json is not ours.
func (s *Setup) isForeign(host string) (bool, error) {
	list := s.files(host)
	if len(list) < 2 {
		return false, nil
	}
	others, err := s.others(host)
	if err != nil {
		return false, err
	}
	for _, other := range append(others, host) { // what was found out first holds
		block, err := s.ownBlock(other)
		if err != nil || block != "" {
			return strings.Contains(block, foreignMark), err
		}
	}
	f, err := load(list[1].path)
	if err != nil {
		return false, err
	}
	have, err := insecure(f.original)
	return err == nil && slices.Contains(have, s.Proxy.Host), nil // the edit of the file reports what is wrong with it
}

// others returns the other registries that the proxy was set up for.
func (s *Setup) others(host string) ([]string, error) {
	hosts, err := s.Hosts()
	if err != nil {
		return nil, err
	}
	var others []string
	for _, other := range hosts {
		block, err := s.ownBlock(other)
		if err != nil {
			return nil, err
		}
		if other != host && block != "" {
			others = append(others, other)
		}
	}
	return others, nil
}

// ownBlock returns the block of a registry in its hosts.toml if it is about this proxy.
func (s *Setup) ownBlock(host string) (string, error) {
	f, err := load(s.files(host)[0].path)
	if err != nil || proxyOf(f.original, host) != s.Proxy.String() {
		return "", err
	}
	start, end, err := findBlock(f.original, host)
	return string(f.original[start:end]), err
}

// newDaemon is the file that is written if there is none.
func newDaemon(host string) []byte {
	return fmt.Appendf(nil, "{\n  %q: [%q]\n}\n", insecureKey, host)
}

// filledDaemon begins the file that is written in the place of one that has nothing but spaces, which follow it. No
// edit of a file with an object has this form.
func filledDaemon(host string) []byte {
	return fmt.Appendf(nil, "{ %q: [%q] }", insecureKey, host)
}

// insecure returns the registries that a daemon.json names.
func insecure(text []byte) ([]string, error) {
	var file struct {
		Insecure []string `json:"insecure-registries"`
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, nil
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("not a configuration of docker: %w", err)
	}
	return file.Insecure, nil
}

// daemonObject parses a daemon.json. members has one element for each insecure-registries.
func daemonObject(text []byte) (value hujson.Value, root *hujson.Object, members []*hujson.ObjectMember, err error) {
	if value, err = hujson.Parse(text); err != nil {
		return value, nil, nil, err
	}
	root, ok := value.Value.(*hujson.Object)
	if !ok {
		return value, nil, nil, errors.New("not a JSON object")
	}
	for i := range root.Members {
		if name, ok := root.Members[i].Name.Value.(hujson.Literal); ok && name.String() == insecureKey {
			members = append(members, &root.Members[i])
		}
	}
	if len(members) > 1 {
		return value, nil, nil, fmt.Errorf("%s is there more than once; leave one", insecureKey)
	}
	return value, root, members, nil
}

// addInsecure adds a registry to insecure-registries.
func addInsecure(text []byte, host string) ([]byte, error) {
	if text == nil {
		return newDaemon(host), nil
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return append(filledDaemon(host), text...), nil
	}
	have, err := insecure(text)
	if err != nil {
		return nil, err
	}
	if slices.Contains(have, host) {
		return text, nil
	}
	value, root, members, err := daemonObject(text)
	if err != nil {
		return nil, err
	}
	entry := hujson.Value{Value: hujson.String(host)}
	if len(members) == 0 {
		m := hujson.ObjectMember{
			Name:  hujson.Value{Value: hujson.String(insecureKey)},
			Value: hujson.Value{BeforeExtra: hujson.Extra(" "), Value: &hujson.Array{Elements: []hujson.ArrayElement{entry}}},
		}
		if n := len(root.Members); n > 0 {
			// Before the first one: what stands before the brace at the end stays there.
			m.Name.BeforeExtra = bytes.Clone(root.Members[0].Name.BeforeExtra)
		}
		root.Members = append([]hujson.ObjectMember{m}, root.Members...)
		return value.Pack(), nil
	}
	array, ok := members[0].Value.Value.(*hujson.Array)
	if !ok {
		return nil, fmt.Errorf("%s is not an array", insecureKey)
	}
	if len(array.Elements) > 0 {
		entry.BeforeExtra = bytes.Clone(array.Elements[0].BeforeExtra)
	} else {
		// This tells an array that was empty from one that was not there.
		entry.BeforeExtra = hujson.Extra(" ")
	}
	array.Elements = append([]hujson.ArrayElement{entry}, array.Elements...)
	return value.Pack(), nil
}

// cutInsecure removes a registry from insecure-registries, and that if nothing is left of it.
func cutInsecure(text []byte, host string) ([]byte, error) {
	if bytes.Equal(text, newDaemon(host)) {
		return nil, nil
	}
	if spaces, ok := bytes.CutPrefix(text, filledDaemon(host)); ok && len(bytes.TrimSpace(spaces)) == 0 {
		return spaces, nil
	}
	have, err := insecure(text)
	if err != nil || len(have) == 0 {
		return text, err
	}
	value, root, members, err := daemonObject(text)
	if err != nil {
		return nil, err
	}
	array, ok := members[0].Value.Value.(*hujson.Array)
	if !ok {
		return nil, fmt.Errorf("%s is not an array", insecureKey)
	}
	for i, e := range array.Elements {
		if l, ok := e.Value.(hujson.Literal); !ok || l.String() != host {
			continue
		}
		array.Elements = append(array.Elements[:i:i], array.Elements[i+1:]...)
		if len(array.Elements) == 0 && len(e.BeforeExtra) == 0 {
			for j := range root.Members {
				if &root.Members[j] == members[0] {
					root.Members = append(root.Members[:j:j], root.Members[j+1:]...)
					break
				}
			}
		}
		return value.Pack(), nil
	}
	return text, nil
}
