//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// dataset is two versions of software, as directories and as tars.
type dataset struct {
	name     string
	old, new version
}

type version struct{ dir, tar string }

// Packages of Debian 12 and their versions: before and after an update.
var (
	updated = [][3]string{
		{"libpython3.11-stdlib", "3.11.2-6+deb12u8", "3.11.2-6+deb12u9"},
		{"python3.11-minimal", "3.11.2-6+deb12u8", "3.11.2-6+deb12u9"},
		{"libssl3", "3.0.20-1~deb12u2", "3.0.22-1~deb12u2"},
		{"openssl", "3.0.20-1~deb12u2", "3.0.22-1~deb12u2"},
	}
	oneUpdated = [][3]string{
		{"libpython3.11-stdlib", "3.11.2-6+deb12u9", "3.11.2-6+deb12u9"},
		{"python3.11-minimal", "3.11.2-6+deb12u9", "3.11.2-6+deb12u9"},
		{"libssl3", "3.0.22-1~deb12u2", "3.0.22-1~deb12u2"},
		{"perl-modules-5.36", "5.36.0-7+deb12u4", "5.36.0-7+deb12u4"},
		{"openssl", "3.0.20-1~deb12u2", "3.0.22-1~deb12u2"},
	}
)

// The data sets.
const (
	allUpdated = iota
	goProgram
	nodeModules
	opensslOnly
)

// download returns the data sets. What dir has is not downloaded again.
func (b *bench) download(ctx context.Context, dir string) ([]dataset, error) {
	npm := func(versions ...string) func(ctx context.Context, to string, next int) error {
		return func(ctx context.Context, to string, next int) error { return b.npm(ctx, to, versions[next]) }
	}
	debian := func(packages [][3]string) func(ctx context.Context, to string, next int) error {
		return func(ctx context.Context, to string, next int) error { return b.debian(ctx, to, packages, next) }
	}
	sets := []dataset{
		allUpdated:  {name: "Python and OpenSSL of Debian 12, before and after security updates"},
		goProgram:   {name: "a program in Go (esbuild 0.25.8, 0.25.9)"},
		nodeModules: {name: "`node_modules` (express 4.21.1, 4.21.2)"},
		opensslOnly: {name: "Python, Perl and OpenSSL of Debian 12, before and after an update of `openssl`"},
	}
	fetch := []func(ctx context.Context, to string, next int) error{
		allUpdated:  debian(updated),
		goProgram:   npm("@esbuild/linux-x64@0.25.8", "@esbuild/linux-x64@0.25.9"),
		nodeModules: npm("express@4.21.1", "express@4.21.2"),
		opensslOnly: debian(oneUpdated),
	}
	for i := range sets {
		for next, v := range []*version{&sets[i].old, &sets[i].new} {
			v.dir = filepath.Join(dir, fmt.Sprint(i, "-", next))
			v.tar = v.dir + ".tar"
			if _, err := os.Stat(v.tar); err == nil {
				continue
			}
			fmt.Fprintf(b.progress, "download: %s, version %d\n", sets[i].name, next+1)
			if err := errors.Join(os.RemoveAll(v.dir), os.MkdirAll(v.dir, 0o755)); err != nil {
				return nil, err
			}
			if err := fetch[i](ctx, v.dir, next); err != nil {
				return nil, err
			}
			if err := b.tar(ctx, *v); err != nil {
				return nil, err
			}
		}
	}
	return sets, nil
}

// tar writes the tar of a version as it will always be.
func (b *bench) tar(ctx context.Context, v version) error {
	if err := b.command(ctx, "", "tar", "--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mtime=2025-01-01 00:00:00Z", "-C", v.dir, "-cf", v.tar+".new", "."); err != nil {
		return err
	}
	return os.Rename(v.tar+".new", v.tar)
}

func (b *bench) debian(ctx context.Context, to string, list [][3]string, next int) error {
	packages := filepath.Join(b.dir, "packages")
	if err := os.MkdirAll(packages, 0o755); err != nil {
		return err
	}
	defer os.RemoveAll(packages) // what is left is in the temporary directory
	args := []string{"apt-get", "download", "-qq"}
	for _, p := range list {
		args = append(args, p[0]+"="+p[1+next])
	}
	if err := b.command(ctx, packages, args...); err != nil {
		return err
	}
	return eachFile(packages, func(path string) error { return b.command(ctx, "", "dpkg-deb", "-x", path, to) })
}

func (b *bench) npm(ctx context.Context, to, name string) error {
	return b.command(ctx, to, "npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--no-package-lock", "--prefix", to, name)
}

// eachFile calls f with each file below dir.
func eachFile(dir string, f func(path string) error) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		return f(path)
	})
}

// command runs a command that must succeed.
func (b *bench) command(ctx context.Context, dir string, argv ...string) error {
	_, err := b.process(ctx, dir, nil, argv...)
	return err
}

// process runs a command, with its output into out unless that is nil, and returns its cost.
func (b *bench) process(ctx context.Context, dir string, out io.Writer, argv ...string) (cost, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = dir
	var text bytes.Buffer
	cmd.Stdout, cmd.Stderr = &text, &text
	if out != nil {
		cmd.Stdout = out
	}
	c, err := run(cmd)
	if err != nil {
		said := strings.TrimSpace(text.String())
		return c, fmt.Errorf("%s: %w: %s", strings.Join(argv, " "), err, said[max(0, len(said)-500):])
	}
	return c, nil
}
