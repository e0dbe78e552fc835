package setup

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
)

// TestEmptyFiles sets up each engine over a file of the user's that has no text, for two registries and with a change of
// the proxy in between, and removes them in both orders: the file is there, with its bytes and its mode.
func TestEmptyFiles(t *testing.T) {
	t.Parallel()
	for engine, file := range map[Engine]string{Docker: daemonPath, Podman: podmanPath, Containerd: hostsPath, BuildKit: buildPath} {
		for _, text := range []string{"", "\n", " \r\n\t\n"} {
			for _, fallback := range []bool{false, true} {
				for _, last := range []string{registry, local} {
					for _, second := range []string{remote, "http://10.0.0.6:4511"} {
						if engine == BuildKit && !fallback || text != "" && (last != local || second != remote) {
							continue
						}
						t.Run(fmt.Sprintf("%s %q", engine, text), func(t *testing.T) {
							t.Parallel()
							s := newSetup(t, engine, remote, fallback)
							s.write(t, file, text)
							before := s.tree(t)
							old, err := os.Stat(s.path(file))
							if err != nil {
								t.Fatal(err)
							}
							for _, proxy := range []string{remote, second} {
								s = newSetupIn(t, engine, s.Root, proxy, fallback)
								for _, host := range []string{registry, local, registry} {
									if _, err := s.Set(host); err != nil {
										t.Fatal(err)
									}
								}
							}
							s.Fallback = !fallback
							if _, err := s.Set(registry); err != nil && !errors.Is(err, ErrFallback) {
								t.Fatal(err)
							}
							hosts := []string{registry, local}
							if last == registry {
								slices.Reverse(hosts)
							}
							for _, host := range append(hosts, hosts...) {
								if _, err := s.Remove(host); err != nil {
									t.Fatal(err)
								}
							}
							if after := s.tree(t); !same(before, after) {
								t.Errorf("before %q, after %q", before, after)
							}
							if info, err := os.Stat(s.path(file)); err != nil || info.Mode() != old.Mode() {
								t.Errorf("the file: %v, %v", info, err)
							}
						})
					}
				}
			}
		}
	}
}

// TestEmptyFileWritten removes what was set up in an empty file to which the user has added something since.
func TestEmptyFileWritten(t *testing.T) {
	t.Parallel()
	for engine, file := range map[Engine]string{Podman: podmanPath, Containerd: hostsPath, BuildKit: buildPath} {
		s := newSetup(t, engine, address, true)
		s.write(t, file, "")
		if _, err := s.Set(registry); err != nil {
			t.Fatal(err)
		}
		s.write(t, file, s.tree(t)[file]+"# mine\n")
		if _, err := s.Remove(registry); err != nil {
			t.Fatal(err)
		}
		if text := s.tree(t)[file]; text != "# mine\n" {
			t.Errorf("%s: %q", engine, text)
		}
	}
}
