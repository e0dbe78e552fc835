//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/dustin/go-humanize"
	"github.com/google/go-containerregistry/pkg/v1/layout"
)

// smallImages are images whose layers a fast connection brings at once: the proxy has nothing to gain.
var smallImages = []struct {
	name  string
	sizes []int64
}{
	{"10 layers of 8 MiB", slices.Repeat([]int64{8 * mib}, 10)},
	{"40 layers of 256 KiB", slices.Repeat([]int64{mib / 4}, 40)},
}

// small measures pulls from the registry that is not slow, and prints how long they take through the proxy
// compared with directly.
func (b *bench) small(ctx context.Context, out io.Writer) error {
	fmt.Fprintf(out, "\n## Small layers through the proxy\n\nThe registry is not slow. Ratios of the time through the proxy to the time directly, below 1 is faster; runs: %d, the median counts.\n\n", b.smallRuns)
	fmt.Fprintln(out, "| Image and client | Direct | Through the proxy | Ratio | From the proxy's cache | Ratio |\n|---|---:|---:|---:|---:|---:|")
	for i, image := range smallImages {
		repository := fmt.Sprintf("small-%d", i)
		path := filepath.Join(b.dir, repository)
		if err := writeImage(path, image.sizes...); err != nil {
			return err
		}
		if err := b.pushNear(ctx, path, repository); err != nil {
			return err
		}
		for _, e := range b.engines {
			if e.pull == nil {
				continue
			}
			if err := b.smallRow(ctx, out, image.name+", "+e.name, repository, e); err != nil {
				return err
			}
		}
	}
	return b.firstBytes(ctx, out)
}

// firstBytes prints how long the first byte of a layer takes that the cache does not have, by the layer's size.
func (b *bench) firstBytes(ctx context.Context, out io.Writer) error {
	for _, size := range []int64{mib / 4, mib, 8 * mib} {
		repository := fmt.Sprintf("first-%d", size)
		path := filepath.Join(b.dir, repository)
		if err := writeImage(path, slices.Repeat([]int64{size}, 10)...); err != nil {
			return err
		}
		if err := b.pushNear(ctx, path, repository); err != nil {
			return err
		}
		if err := b.firstByteRow(ctx, out, repository, size); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) pushNear(ctx context.Context, path, repository string) error {
	if _, err := b.near.ECR().CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: &repository}); err != nil {
		return err
	}
	cmd := b.cmd(ctx, "ecrkit", "push", "oci:"+path+":x", b.near.Addr+"/"+repository+":x")
	cmd.Env = b.nearEnv
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("ecrkit push: %w\n%s", err, text)
	}
	return nil
}

// smallRow measures one engine, directly and through a proxy in turn.
func (b *bench) smallRow(ctx context.Context, out io.Writer, name, repository string, e engine) error {
	var direct, proxied, again []float64
	for range b.smallRuns {
		d, p, a, err := b.pull(ctx, e, b.near, repository+":x")
		if err != nil {
			return fmt.Errorf("pull of small layers by %s: %w", e.name, err)
		}
		direct, proxied, again = append(direct, d), append(proxied, p), append(again, a)
	}
	d, p, a := median(direct), median(proxied), median(again)
	fmt.Fprintf(out, "| %s | %.2f s | %.2f s | %.2f | %.2f s | %.2f |\n", name, d, p, p/d, a, a/d)
	return nil
}

// firstByteRow measures how long the first byte of each layer takes.
func (b *bench) firstByteRow(ctx context.Context, out io.Writer, repository string, size int64) error {
	layers, err := layersOf(filepath.Join(b.dir, repository))
	if err != nil {
		return err
	}
	var direct, proxied, again []float64
	for range b.smallRuns {
		p, err := b.startProxy(ctx, b.near)
		if err != nil {
			return err
		}
		client := &http.Client{Transport: &http.Transport{}}
		// An engine reads the manifest first.
		if _, err := b.firstByte(ctx, client, "http://"+p.addr+"/v2/"+strings.Replace(b.near.Addr, ":", "_", 1)+"/"+repository+"/manifests/x"); err != nil {
			p.stop()
			return err
		}
		for _, layer := range layers {
			for _, way := range []struct {
				url   string
				times *[]float64
			}{
				{"http://" + b.near.Addr + "/v2/" + repository + "/blobs/" + layer, &direct},
				{p.blob(b.near.Addr, repository, layer), &proxied},
				{p.blob(b.near.Addr, repository, layer), &again},
			} {
				took, err := b.firstByte(ctx, client, way.url)
				if err != nil {
					p.stop()
					return err
				}
				*way.times = append(*way.times, took)
			}
		}
		client.CloseIdleConnections()
		p.stop()
	}
	d, p, a := median(direct), median(proxied), median(again)
	fmt.Fprintf(out, "| First byte of a layer of %s | %.2f ms | %.2f ms | %.2f | %.2f ms | %.2f |\n", humanize.IBytes(uint64(size)), 1000*d, 1000*p, p/d, 1000*a, a/d)
	return nil
}

// firstByte reads a blob and returns how many seconds its first byte takes.
func (b *bench) firstByte(ctx context.Context, client *http.Client, url string) (seconds float64, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	user, password, _ := strings.Cut(b.user(b.near.Addr), ":")
	request.SetBasicAuth(user, password)
	begin := time.Now()
	response, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return 0, errors.New(response.Status)
	}
	if _, err := io.ReadFull(response.Body, make([]byte, 1)); err != nil {
		return 0, err
	}
	seconds = time.Since(begin).Seconds()
	_, err = io.Copy(io.Discard, response.Body)
	return seconds, err
}

// layersOf returns the digests of the layers of a layout's image.
func layersOf(path string) (digests []string, err error) {
	index, err := layout.ImageIndexFromPath(path)
	if err != nil {
		return nil, err
	}
	list, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	image, err := index.Image(list.Manifests[0].Digest)
	if err != nil {
		return nil, err
	}
	manifest, err := image.Manifest()
	if err != nil {
		return nil, err
	}
	for _, layer := range manifest.Layers {
		digests = append(digests, layer.Digest.String())
	}
	return digests, nil
}
