//go:build linux

package main

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A program can push, pull and copy images. Its functions return command lines without the program itself; nil is
// what it cannot do.
type program struct {
	name    string
	path    string // "" if it is missing
	version string

	// connections is over how many connections its defaults move the layers of one image.
	connections int

	setup       func(addr string) []string // run once for a registry
	push        func(layout, ref string) []string
	pushArchive func(file, ref string) []string
	pull        func(ref, layout string) []string
	copy        func(src, dst string) []string
	tag         func(ref, tag string) []string
}

// ours is the program that the others are compared with.
const ours = "ecrkit"

// peerPackages are the peers that bench/go.mod pins.
var peerPackages = []string{
	"github.com/google/go-containerregistry/cmd/crane",
	"github.com/regclient/regclient/cmd/regctl",
	"oras.land/oras/cmd/oras",
}

// programs are all that take part, ours first. bin has our commands, tools those of buildTools.
func programs(ctx context.Context, bin, tools string) ([]*program, error) {
	list := []*program{
		{
			name: ours, path: filepath.Join(bin, "ecrkit"), connections: 16,
			push: func(layout, ref string) []string { return []string{"push", "oci:" + layout + ":" + inputTag, ref} },
			pushArchive: func(file, ref string) []string {
				return []string{"push", "docker-archive:" + file, ref}
			},
			pull: func(ref, layout string) []string { return []string{"pull", ref, "oci:" + layout + ":" + inputTag} },
			copy: func(src, dst string) []string { return []string{"copy", src, dst} },
			tag:  func(ref, tag string) []string { return []string{"tag", ref, tag} },
		},
		{
			name: "crane", path: filepath.Join(tools, "crane"), connections: 4,
			push:        func(layout, ref string) []string { return []string{"push", layout, ref} },
			pushArchive: func(file, ref string) []string { return []string{"push", file, ref} },
			pull:        func(ref, layout string) []string { return []string{"pull", "--format=oci", ref, layout} },
			copy:        func(src, dst string) []string { return []string{"copy", src, dst} },
			tag:         func(ref, tag string) []string { return []string{"tag", ref, tag} },
		},
		{
			name: "regctl", path: filepath.Join(tools, "regctl"), connections: 3,
			setup: func(addr string) []string { return []string{"registry", "set", "--tls", "disabled", addr} },
			push: func(layout, ref string) []string {
				return []string{"image", "copy", "ocidir://" + layout + ":" + inputTag, ref}
			},
			pushArchive: func(file, ref string) []string { return []string{"image", "import", ref, file} },
			pull: func(ref, layout string) []string {
				return []string{"image", "copy", ref, "ocidir://" + layout + ":" + inputTag}
			},
			copy: func(src, dst string) []string { return []string{"image", "copy", src, dst} },
			tag:  func(ref, tag string) []string { return []string{"image", "copy", ref, withTag(ref, tag)} },
		},
		{
			name: "oras", path: filepath.Join(tools, "oras"), connections: 3,
			push: func(layout, ref string) []string {
				return []string{"cp", "--from-oci-layout", "--to-plain-http", layout + ":" + inputTag, ref}
			},
			pull: func(ref, layout string) []string {
				return []string{"cp", "--from-plain-http", "--to-oci-layout", ref, layout + ":" + inputTag}
			},
			copy: func(src, dst string) []string {
				return []string{"cp", "--from-plain-http", "--to-plain-http", src, dst}
			},
			tag: func(ref, tag string) []string { return []string{"tag", "--plain-http", ref, tag} },
		},
		{
			name: "skopeo", connections: 6,
			push: func(layout, ref string) []string {
				return []string{"--insecure-policy", "copy", "--all", "--dest-tls-verify=false", "oci:" + layout + ":" + inputTag, "docker://" + ref}
			},
			pushArchive: func(file, ref string) []string {
				return []string{"--insecure-policy", "copy", "--dest-tls-verify=false", "docker-archive:" + file, "docker://" + ref}
			},
			pull: func(ref, layout string) []string {
				return []string{"--insecure-policy", "copy", "--all", "--src-tls-verify=false", "docker://" + ref, "oci:" + layout + ":" + inputTag}
			},
			copy: func(src, dst string) []string {
				return []string{"--insecure-policy", "copy", "--all", "--src-tls-verify=false", "--dest-tls-verify=false", "docker://" + src, "docker://" + dst}
			},
			tag: func(ref, tag string) []string {
				return []string{"--insecure-policy", "copy", "--all", "--src-tls-verify=false", "--dest-tls-verify=false", "docker://" + ref, "docker://" + withTag(ref, tag)}
			},
		},
	}
	for _, p := range list {
		if p.path == "" {
			p.path = p.name
		}
		var err error
		if p.path, err = exec.LookPath(p.path); err != nil {
			p.path = "" // not installed
			continue
		}
		version, err := versionOf(ctx, p)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
		p.version = version
	}
	return list, nil
}

// withTag is a reference with another tag.
func withTag(ref, tag string) string { return ref[:strings.LastIndexByte(ref, ':')] + ":" + tag }

// versionOf asks Debian's skopeo and our program; the others are modules.
func versionOf(ctx context.Context, p *program) (string, error) {
	if p.name == "skopeo" || p.name == ours {
		out, err := exec.CommandContext(ctx, p.path, "--version").Output()
		if err != nil {
			return "", err
		}
		fields := strings.Fields(string(out))
		if len(fields) == 0 {
			return "", fmt.Errorf("--version prints nothing")
		}
		return fields[len(fields)-1] + revision(p.path), nil
	}
	info, err := buildinfo.ReadFile(p.path)
	if err != nil {
		return "", err
	}
	return info.Main.Version, nil
}

// revision is that of the checkout from which our program was built, in parentheses.
func revision(path string) string {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return ""
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" && len(setting.Value) > 12 {
			return " (" + setting.Value[:12] + ")"
		}
	}
	return ""
}

// buildTools builds the peers, at the versions that bench/go.mod pins, and the program launch into dir. The
// working directory has to be inside the checkout.
func buildTools(ctx context.Context, dir string) error {
	root, err := checkout(ctx)
	if err != nil {
		return err
	}
	if err := build(ctx, filepath.Join(root, "bench"), dir, peerPackages...); err != nil {
		return err
	}
	return buildLaunch(ctx, dir)
}

// buildLaunch builds the program launch into dir.
func buildLaunch(ctx context.Context, dir string) error {
	root, err := checkout(ctx)
	if err != nil {
		return err
	}
	return build(ctx, root, dir, "./internal/tools/bench/launch")
}

// checkout is the directory of our module.
func checkout(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOMOD: %w", err)
	}
	return filepath.Dir(strings.TrimSpace(string(out))), nil
}

func build(ctx context.Context, module, dir string, packages ...string) error {
	args := append([]string{"build", "-C", module, "-trimpath", "-o", dir + string(filepath.Separator)}, packages...)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build %s: %w\n%s", strings.Join(packages, " "), err, out)
	}
	return nil
}
