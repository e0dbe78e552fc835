//go:build linux

package main

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// tool writes a layer of a version of a data set.
type tool struct {
	name string
	// version is the command that prints its version, nil without one.
	version []string
	needs   []string
	// layer writes the layer to a file, in a directory of its own.
	layer func(ctx context.Context, b *bench, dir string, v version, to string) error
}

// filter is a tool that compresses its standard input.
func filter(argv ...string) tool {
	return tool{name: strings.Join(argv, " "), version: []string{argv[0], "--version"}, needs: argv[:1], layer: func(ctx context.Context, b *bench, _ string, v version, to string) error {
		return b.filter(ctx, v.tar, to, argv...)
	}}
}

// filter runs a command from a file to another.
func (b *bench) filter(ctx context.Context, from, to string, argv ...string) error {
	_, err := b.filtered(ctx, from, to, argv...)
	return err
}

// filtered is filter, and returns what the command has cost.
func (b *bench) filtered(ctx context.Context, from, to string, argv ...string) (cost, error) {
	in, err := os.Open(from)
	if err != nil {
		return cost{}, err
	}
	defer in.Close() // opened for reading
	out, err := os.Create(to)
	if err != nil {
		return cost{}, err
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdin, cmd.Stdout = in, out
	c, err := run(cmd)
	if err = errors.Join(err, out.Close()); err != nil {
		return c, fmt.Errorf("%s: %w", strings.Join(argv, " "), err)
	}
	return c, nil
}

// allTools are the tools of the table.
func allTools() []tool {
	return []tool{
		filter("gzip", "-n", "-1"), filter("gzip", "-n", "-6"), filter("gzip", "-n", "-9"), filter("pigz", "-n"),
		{"docker push", []string{"dockerd", "--version"}, []string{"docker", "dockerd"}, dockerLayer},
		{"podman push", []string{"podman", "--version"}, []string{"podman"}, podmanLayer},
		{"buildah commit", []string{"buildah", "--version"}, []string{"buildah"}, buildahLayer},
		{"skopeo copy", []string{"skopeo", "--version"}, []string{"skopeo", "umoci"}, skopeoLayer("gzip")},
		{"umoci insert", []string{"umoci", "--version"}, []string{"umoci"}, umociLayer},
		{"crane append", []string{"crane", "version"}, []string{"crane"}, craneLayer},
		{"ko build", []string{"ko", "version"}, []string{"ko", "go"}, koLayer},
		{"buildctl build", []string{"buildctl", "--version"}, []string{"buildkitd", "buildctl"}, buildkitLayer("gzip")},
		{"buildctl build, estargz", nil, []string{"buildkitd", "buildctl"}, buildkitLayer("estargz")},
		{"buildctl build, zstd", nil, []string{"buildkitd", "buildctl"}, buildkitLayer("zstd")},
		{"skopeo copy, zstd", nil, []string{"skopeo", "umoci"}, skopeoLayer("zstd")},
		filter("zstd", "-q", "-3"), filter("zstd", "-q", "-9"),
	}
}

// isolated are the options of podman and buildah for a storage in dir.
func isolated(name, dir string) []string {
	return []string{name, "--root", dir + "/storage", "--runroot", dir + "/run", "--storage-driver", "vfs"}
}

func podmanLayer(ctx context.Context, b *bench, dir string, v version, to string) error {
	podman := isolated("podman", dir)
	return errors.Join(
		b.command(ctx, "", append(podman, "import", "-q", v.tar, "localhost/delta")...),
		b.command(ctx, "", append(podman, "push", "-q", "--format", "oci", "localhost/delta", "oci:"+dir+"/out:1")...),
		b.command(ctx, "", append(podman, "rmi", "-f", "localhost/delta")...),
		largest(dir+"/out", to))
}

func buildahLayer(ctx context.Context, b *bench, dir string, v version, to string) error {
	buildah := isolated("buildah", dir)
	return errors.Join(
		b.command(ctx, "", append(buildah, "from", "--name", "delta", "scratch")...),
		b.command(ctx, "", append(buildah, "add", "-q", "delta", v.tar, "/")...),
		b.command(ctx, "", append(buildah, "commit", "-q", "--disable-compression=false", "delta", "oci:"+dir+"/out:1")...),
		b.command(ctx, "", append(buildah, "rm", "delta")...),
		largest(dir+"/out", to))
}

// umociImage makes a layout with an image of one layer.
func umociImage(ctx context.Context, b *bench, layout string, v version) error {
	return errors.Join(
		b.command(ctx, "", "umoci", "init", "--layout", layout),
		b.command(ctx, "", "umoci", "new", "--image", layout+":1"),
		b.command(ctx, "", "umoci", "insert", "--image", layout+":1", v.dir, "/app"))
}

func umociLayer(ctx context.Context, b *bench, dir string, v version, to string) error {
	return errors.Join(umociImage(ctx, b, dir+"/out", v), largest(dir+"/out", to))
}

func skopeoLayer(format string) func(ctx context.Context, b *bench, dir string, v version, to string) error {
	return func(ctx context.Context, b *bench, dir string, v version, to string) error {
		return errors.Join(
			umociImage(ctx, b, dir+"/in", v),
			b.command(ctx, "", "skopeo", "copy", "-q", "--insecure-policy", "--dest-decompress", "oci:"+dir+"/in:1", "dir:"+dir+"/plain"),
			b.command(ctx, "", "skopeo", "copy", "-q", "--insecure-policy", "--dest-compress", "--dest-compress-format", format, "dir:"+dir+"/plain", "dir:"+dir+"/out"),
			largest(dir+"/out", to))
	}
}

func craneLayer(ctx context.Context, b *bench, dir string, v version, to string) error {
	archive := dir + "/image.tar"
	if err := b.command(ctx, "", b.find("crane"), "append", "--oci-empty-base", "-f", v.tar, "-t", "delta", "-o", archive); err != nil {
		return err
	}
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close() // opened for reading
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if err != nil {
			return fmt.Errorf("%s: %w", archive, err)
		}
		if strings.HasSuffix(h.Name, ".tar.gz") {
			return save(r, to)
		}
	}
}

func save(r io.Reader, to string) error {
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}

// largest moves the largest file below a directory: the layer of an image that has one.
func largest(dir, to string) error {
	var path string
	var size int64
	err := eachFile(dir, func(p string) error {
		info, err := os.Stat(p)
		if err == nil && info.Size() > size {
			path, size = p, info.Size()
		}
		return err
	})
	if err != nil {
		return err
	}
	return errors.Join(os.Rename(path, to), os.RemoveAll(dir))
}

// find returns the path of a program: of -tools, or as it is installed.
func (b *bench) find(name string) string {
	path := filepath.Join(b.tools, name)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	return name
}

// has reports whether the programs that a tool needs are installed.
func (b *bench) has(t tool) bool {
	for _, name := range t.needs {
		if _, err := exec.LookPath(b.find(name)); err != nil {
			return false
		}
	}
	return true
}
