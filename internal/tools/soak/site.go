//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/localecr"
)

// site is a local ECR, and a home directory of the programs that call it.
type site struct {
	soak   *soak
	dir    string // with home, tmp and what a case writes
	bin    string // directory of the programs
	server *localecr.Server
	client *ecr.Client
	calls  *localecr.Recorder
	stop   context.CancelFunc
	done   chan error
}

// site starts a local ECR with the repositories app and other.
func (s *soak) site(o localecr.Options) (*site, error) {
	dir, err := os.MkdirTemp(s.work, "site-")
	if err != nil {
		return nil, err
	}
	st := &site{soak: s, dir: dir, bin: s.bin, calls: &localecr.Recorder{}, done: make(chan error, 1)}
	for _, sub := range []string{"home", "tmp", "out", "server"} {
		if err := os.Mkdir(st.path(sub), 0o700); err != nil {
			return nil, err
		}
	}
	o.Dir, o.Audit = st.path("server"), st.calls
	if st.server, err = localecr.New(o); err != nil {
		return nil, err
	}
	l, err := st.server.Listen("127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, st.server.Close())
	}
	var ctx context.Context
	ctx, st.stop = context.WithCancel(s.ctx)
	go func() { st.done <- l.Serve(ctx) }()
	st.client = ecr.NewFromConfig(st.server.AWSConfig())
	for _, name := range []string{"app", "other"} {
		if err := st.create(name); err != nil {
			return nil, errors.Join(err, st.close())
		}
	}
	return st, nil
}

// close ends the server and removes everything.
func (st *site) close() error {
	st.stop()
	err := <-st.done
	return errors.Join(err, st.server.Close(), os.RemoveAll(st.dir))
}

// path is a path in the site's directory.
func (st *site) path(elem ...string) string {
	return filepath.Join(append([]string{st.dir}, elem...)...)
}

// image is the reference of a tag in a repository.
func (st *site) image(repository, tag string) string {
	return st.server.Registry + "/" + repository + ":" + tag
}

func (st *site) create(repository string) error {
	_, err := st.client.CreateRepository(st.soak.ctx, &ecr.CreateRepositoryInput{RepositoryName: &repository})
	return err
}

// env is the environment of the programs; extra comes last.
func (st *site) env(extra ...string) []string {
	return slices.Concat([]string{"HOME=" + st.path("home"), "PATH=" + os.Getenv("PATH"), "TMPDIR=" + st.path("tmp")}, st.server.Env(), extra)
}

// tagged returns the digest that a tag names, or "" if there is no such tag. The bytes of the manifest are checked.
func (st *site) tagged(repository, tag string) (digest.Digest, error) {
	out, err := st.client.BatchGetImage(st.soak.ctx, &ecr.BatchGetImageInput{RepositoryName: &repository, ImageIds: []types.ImageIdentifier{{ImageTag: &tag}}})
	if err != nil {
		return "", err
	}
	if len(out.Images) == 0 {
		return "", nil
	}
	d := digest.FromString(aws.ToString(out.Images[0].ImageManifest))
	if named := aws.ToString(out.Images[0].ImageId.ImageDigest); named != d.String() {
		return "", fmt.Errorf("%s:%s is %s by name and %s by content", repository, tag, named, d)
	}
	return d, nil
}

// has returns an error unless a tag of the repository names the image, whose blobs are all there.
func (st *site) has(repository, tag string, m *image) error {
	d, err := st.tagged(repository, tag)
	if err != nil {
		return err
	}
	if d != m.digest {
		return fmt.Errorf("%s:%s is %q, not %s", repository, tag, d, m.digest)
	}
	var blobs []string
	for _, b := range m.blobs() {
		blobs = append(blobs, b.String())
	}
	out, err := st.client.BatchCheckLayerAvailability(st.soak.ctx, &ecr.BatchCheckLayerAvailabilityInput{RepositoryName: &repository, LayerDigests: blobs})
	if err != nil {
		return err
	}
	for _, l := range out.Layers {
		if l.LayerAvailability != types.LayerAvailabilityAvailable {
			return fmt.Errorf("%s:%s has no blob %s", repository, tag, aws.ToString(l.LayerDigest))
		}
	}
	return nil
}

// leftovers returns what is in the directories that are empty when nothing is left behind: notes of uploads and
// temporary files. names are the only ones that may be in the directory out.
func (st *site) leftovers(names ...string) []string {
	var found []string
	for _, dir := range []string{st.path("home", ".local", "state", "ecrkit", "uploads"), st.path("tmp")} {
		entries, _ := os.ReadDir(dir) // which need not exist
		for _, e := range entries {
			found = append(found, filepath.Join(filepath.Base(dir), e.Name()))
		}
	}
	entries, _ := os.ReadDir(st.path("out"))
	for _, e := range entries {
		if !slices.Contains(names, e.Name()) {
			found = append(found, "out/"+e.Name())
			continue
		}
		if e.IsDir() {
			found = append(found, layoutLeftovers(st.path("out", e.Name()))...)
		}
	}
	return found
}

// layoutLeftovers returns what is in a layout and is no part of it.
func layoutLeftovers(dir string) (found []string) {
	for _, e := range []struct {
		dir   string
		names []string
	}{{"", []string{"blobs", "index.json", "oci-layout"}}, {"blobs", []string{"sha256"}}} {
		entries, _ := os.ReadDir(filepath.Join(dir, e.dir))
		for _, f := range entries {
			if !slices.Contains(e.names, f.Name()) {
				found = append(found, filepath.Join(filepath.Base(dir), e.dir, f.Name()))
			}
		}
	}
	entries, _ := os.ReadDir(filepath.Join(dir, "blobs", "sha256"))
	for _, f := range entries {
		if len(f.Name()) != 64 || strings.HasPrefix(f.Name(), ".") {
			found = append(found, filepath.Join("blobs", f.Name()))
		}
	}
	return found
}
