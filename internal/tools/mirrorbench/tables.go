//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
)

// many returns a command for each repository.
func many(command func(repository string) []string) (commands [][]string) {
	for i := range repositories {
		commands = append(commands, command(fmt.Sprintf("src/repo%02d", i)))
	}
	return commands
}

// write writes a file into the directory of the run.
func (b *bench) write(name, text string) (string, error) {
	path := filepath.Join(b.dir, name)
	return path, os.WriteFile(path, []byte(text), 0o600)
}

// rows measures rows and prints them as a table.
func (b *bench) rows(ctx context.Context, out io.Writer, title string, r *registry, rows []row) error {
	printed := false
	for _, one := range rows {
		if !b.wanted(one) {
			continue
		}
		if !printed {
			fmt.Fprintf(out, "\n### %s\n\n| | Program | Seconds | Requests | BatchGetImage | Peak memory | On disk |\n|---|---|--:|--:|--:|--:|--:|\n", title)
			printed = true
		}
		fmt.Fprintf(b.progress, "%s: %s\n", one.name, one.program)
		m, err := b.measure(ctx, r, one.left, one.commands...)
		if err != nil {
			fmt.Fprintf(out, "| %s | %s | failed: %.200q | | | | |\n", one.name, one.program, err)
			continue
		}
		disk := "–"
		if one.left != "" {
			disk = size(m.disk)
		}
		fmt.Fprintf(out, "| %s | %s | %.2f | %d | %d | %s | %s |\n", one.name, one.program, m.wall.Seconds(), len(m.calls), m.count("BatchGetImage"), size(m.rss), disk)
	}
	return ctx.Err()
}

// export measures copies into files.
func (b *bench) export(ctx context.Context, out io.Writer) error {
	host := b.near.Addr
	config, err := b.write("export.yaml", fmt.Sprintf("destinations: [%q]\nimages: [{from: %q}]\n", host+"/copy", host+"/src/*"))
	if err != nil {
		return err
	}
	layouts := filepath.Join(b.dir, "ocidir")
	regsync := b.regsyncConfig(func(repository string) string { return "ocidir://" + filepath.Join(layouts, repository) })
	peer, err := b.write("regsync-export.yaml", regsync)
	if err != nil {
		return err
	}
	loop := many(func(r string) []string {
		return []string{"ecrkit", "copy", "-q", "--all-tags", host + "/" + r, "oci:" + filepath.Join(b.dir, "loop", r)}
	})
	usb, dirs := filepath.Join(b.dir, "usb"), filepath.Join(b.dir, "skopeo")
	for _, dir := range []string{layouts, filepath.Join(b.dir, "loop", "src"), dirs} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	export := [][]string{{"ecrkit", "mirror", "export", config, "--to", usb, "--quiet"}}
	once := [][]string{{"regsync", "once", "-c", peer}}
	return b.rows(ctx, out, "Into files", b.near, []row{
		{name: "export", program: "ecrkit", commands: export, left: usb},
		{name: "again, nothing changed", program: "ecrkit", commands: export, left: usb},
		{name: "export", program: "ecrkit copy --all-tags, 10 times", commands: loop, left: filepath.Join(b.dir, "loop")},
		{name: "again, nothing changed", program: "ecrkit copy --all-tags, 10 times", commands: loop, left: filepath.Join(b.dir, "loop")},
		{name: "export", program: "regsync", commands: once, left: layouts},
		{name: "again, nothing changed", program: "regsync", commands: once, left: layouts},
		{name: "export", program: "skopeo", left: dirs, commands: many(func(r string) []string {
			return []string{"skopeo", "--insecure-policy", "sync", "--all", "--src", "docker", "--dest", "dir", "--src-tls-verify=false", "--scoped", host + "/" + r, filepath.Join(dirs, filepath.Base(r))}
		})},
	})
}

// regsyncConfig is a configuration of regsync for all repositories.
func (b *bench) regsyncConfig(to func(repository string) string) string {
	var s strings.Builder
	fmt.Fprintf(&s, "version: 1\ncreds:\n  - {registry: %q, tls: disabled, credHelper: docker-credential-ecrkit}\ndefaults: {parallel: 4}\nsync:\n", b.near.Addr)
	for i := range repositories {
		name := fmt.Sprintf("src/repo%02d", i)
		fmt.Fprintf(&s, "  - {source: %q, target: %q, type: repository}\n", b.near.Addr+"/"+name, to(name))
	}
	return s.String()
}

// copies measures copies from registry to registry.
func (b *bench) copies(ctx context.Context, out io.Writer) error {
	host := b.near.Addr
	config, err := b.write("apply.yaml", fmt.Sprintf("destinations: [%q]\nimages: [{from: %q}]\n", host+"/ours", host+"/src/*"))
	if err != nil {
		return err
	}
	peer, err := b.write("regsync-apply.yaml", b.regsyncConfig(func(repository string) string { return host + "/regsync/" + repository }))
	if err != nil {
		return err
	}
	crane := many(func(r string) []string { return []string{"crane", "cp", "-a", host + "/" + r, host + "/crane/" + r} })
	skopeo := many(func(r string) []string {
		return []string{"skopeo", "--insecure-policy", "sync", "--all", "--src", "docker", "--dest", "docker", "--src-tls-verify=false", "--dest-tls-verify=false", host + "/" + r, host + "/skopeo/src"}
	})
	// Otherwise regsync cancels each refused mount with a request that the ECR API does not have, and waits ever longer.
	if _, err := b.near.ECR().PutAccountSetting(ctx, &ecr.PutAccountSettingInput{Name: aws.String("BLOB_MOUNTING"), Value: aws.String("ENABLED")}); err != nil {
		return err
	}
	for _, prefix := range []string{"regsync", "crane", "skopeo"} {
		for i := range repositories {
			if err := b.create(ctx, fmt.Sprintf("%s/src/repo%02d", prefix, i)); err != nil {
				return err
			}
		}
	}
	apply := [][]string{{"ecrkit", "mirror", "apply", config, "--quiet"}}
	once := [][]string{{"regsync", "once", "-c", peer}}
	return b.rows(ctx, out, "From registry to registry", b.near, []row{
		{name: "copy", program: "ecrkit", commands: apply},
		{name: "copied again, nothing changed", program: "ecrkit", commands: apply},
		{name: "copy", program: "regsync", commands: once},
		{name: "copied again, nothing changed", program: "regsync", commands: once},
		{name: "copy", program: "crane", commands: crane},
		{name: "copied again, nothing changed", program: "crane", commands: crane},
		{name: "copy", program: "skopeo", commands: skopeo},
		{name: "copied again, nothing changed", program: "skopeo", commands: skopeo},
	})
}

// quotas measures an import where the registry throttles as AWS does.
func (b *bench) quotas(ctx context.Context, out io.Writer) error {
	usb := filepath.Join(b.dir, "quota")
	export := row{name: "quotas", program: "ecrkit", commands: [][]string{{"ecrkit", "mirror", "export", filepath.Join(b.dir, "export.yaml"), "--to", usb, "--quiet"}}}
	if !b.wanted(export) {
		return nil
	}
	if _, err := b.measure(ctx, b.near, "", export.commands...); err != nil {
		return err
	}
	far, err := b.start(ctx, "far", filepath.Join(b.dir, "far"), "--latency", b.latency.String(), "--quotas", "default")
	if err != nil {
		return err
	}
	defer far.Stop()
	m, err := b.measure(ctx, far, "", []string{"ecrkit", "mirror", "import", usb, far.Addr + "/plant", "--quiet"})
	if err != nil {
		return err
	}
	throttled := 0
	for _, c := range m.calls {
		if c.Status == http.StatusTooManyRequests || strings.HasPrefix(c.Error, "ThrottlingException") {
			throttled++
		}
	}
	floor := time.Duration(repositories*tags*3/10) * time.Second
	fmt.Fprintf(out, "\n### With the quotas of AWS\n\nImport of the set, %d manifests, into a registry that throttles as AWS does: **%.1f s**; the quota of PutImage alone takes %.0f s. "+
		"%d of %d requests were throttled (%.1f %%).\n", repositories*tags*3, m.wall.Seconds(), floor.Seconds(), throttled, len(m.calls), 100*float64(throttled)/float64(max(1, len(m.calls))))
	return nil
}
