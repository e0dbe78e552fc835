//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/ecrkit/ecrkit/mirror/inventory"
)

// delta measures a set after one new tag, for a destination that has all others.
func (b *bench) delta(ctx context.Context, out io.Writer) error {
	set, have := filepath.Join(b.dir, "delta"), filepath.Join(b.dir, "have.json")
	export := row{name: "delta", program: "ecrkit", commands: [][]string{{"ecrkit", "mirror", "export", filepath.Join(b.dir, "export.yaml"), "--to", set, "--have", have, "--quiet"}}}
	if !b.wanted(export) {
		return nil
	}
	host := b.near.Addr
	list := exec.CommandContext(ctx, filepath.Join(b.bin, "ecrkit"), "mirror", "inventory", host)
	list.Env, list.Dir = b.environ, b.dir
	text, err := list.Output()
	if err != nil {
		return fmt.Errorf("inventory: %w", err)
	}
	there, err := inventory.Read(bytes.NewReader(text))
	if err != nil {
		return err
	}
	delete(there.Repositories, nextRepository)
	delete(there.Manifests, nextRepository)
	var written bytes.Buffer
	if err := there.Write(&written); err != nil {
		return err
	}
	if err := os.WriteFile(have, written.Bytes(), 0o600); err != nil {
		return err
	}
	if _, err := b.measure(ctx, b.near, "", []string{"ecrkit", "copy", "--quiet", fmt.Sprintf("%s/%s:v%d.0.0", host, nextRepository, tags), host + "/src/repo00"}); err != nil {
		return err
	}
	m, err := b.measure(ctx, b.near, set, export.commands...)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n### After one new tag\n\nThe set for a destination that has the other %d images: **%.2f MiB**, of which two new layers are 1 MiB; %d requests in %.2f s. "+
		"The limit is 1.2 MiB.\n", repositories*tags, float64(m.disk)/mib, len(m.calls), m.wall.Seconds())
	return nil
}
