//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/dustin/go-humanize"

	"github.com/ecrkit/ecrkit/internal/test/stage"
	"github.com/ecrkit/ecrkit/localecr"
)

// A shape is what the connections of a local ECR are like.
type shape struct {
	latency time.Duration
	rate    int64 // bytes per second; 0 is not capped
}

func (s shape) String() string {
	var words []string
	if s.latency > 0 {
		words = append(words, fmt.Sprintf("%d ms", s.latency.Milliseconds()))
	}
	if s.rate > 0 {
		words = append(words, humanize.IBytes(uint64(s.rate))+"/s a connection")
	}
	if len(words) == 0 {
		return "loopback as it is"
	}
	return strings.Join(words, ", ")
}

// speed is how many bytes per second a connection carries; 0 is not limited. Without a rate of its own it has a
// window of 1 MiB, which makes room when its bytes arrive: half a round trip later.
func (s shape) speed() float64 {
	if s.rate > 0 || s.latency == 0 {
		return float64(s.rate)
	}
	return 2 * mib / s.latency.Seconds()
}

func (s shape) flags() (flags []string) {
	if s.latency > 0 {
		flags = append(flags, "--latency", s.latency.String())
	}
	if s.rate > 0 {
		flags = append(flags, "--per-connection-rate", fmt.Sprint(s.rate))
	}
	return flags
}

// A registry is a local ECR that runs as a process of its own.
type registry struct {
	*stage.Local
	audit string // file of its audit log
}

// startRegistry starts a local ECR with files in dir.
func startRegistry(ctx context.Context, ecrkit, dir string, s shape) (*registry, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	r := &registry{audit: filepath.Join(dir, "audit.jsonl")}
	args := []string{"--addr", "127.0.0.1:0", "--data", filepath.Join(dir, "data"), "--audit", r.audit, "--quiet"}
	// Not ctx itself: the server is stopped by stop.
	local, err := stage.StartLocal(context.WithoutCancel(ctx), ecrkit, os.Stderr, append(args, s.flags()...)...)
	if err != nil {
		return nil, err
	}
	r.Local = local
	return r, nil
}

// calls takes what the audit log has got since it was asked last.
func (r *registry) calls() ([]localecr.Call, error) {
	data, err := os.ReadFile(r.audit)
	if err != nil {
		return nil, err
	}
	if err := os.Truncate(r.audit, 0); err != nil {
		return nil, err
	}
	var calls []localecr.Call
	for line := range bytes.Lines(data) {
		var c localecr.Call
		if err := json.Unmarshal(line, &c); err != nil {
			return nil, fmt.Errorf("audit log: %w", err)
		}
		calls = append(calls, c)
	}
	return calls, nil
}

// settle waits until nothing more comes into the audit log: after a kill the server takes what is on its way.
func (r *registry) settle(ctx context.Context) error {
	last, quiet := int64(-1), 0
	for quiet < 10 {
		info, err := os.Stat(r.audit)
		if err != nil {
			return err
		}
		if quiet++; info.Size() != last {
			last, quiet = info.Size(), 0
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (r *registry) create(ctx context.Context, repository string) error {
	_, err := r.ECR().CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: aws.String(repository)})
	return err
}

func (r *registry) remove(ctx context.Context, repository string) error {
	_, err := r.ECR().DeleteRepository(ctx, &ecr.DeleteRepositoryInput{RepositoryName: aws.String(repository), Force: true})
	return err
}

// enableMounting lets /v2/ mount layers from other repositories.
func (r *registry) enableMounting(ctx context.Context) error {
	_, err := r.ECR().PutAccountSetting(ctx, &ecr.PutAccountSettingInput{Name: aws.String("BLOB_MOUNTING"), Value: aws.String("ENABLED")})
	return err
}

// digest is that of the image with a tag.
func (r *registry) digest(ctx context.Context, repository, tag string) (string, error) {
	out, err := r.ECR().DescribeImages(ctx, &ecr.DescribeImagesInput{
		RepositoryName: aws.String(repository),
		ImageIds:       []types.ImageIdentifier{{ImageTag: aws.String(tag)}},
	})
	if err != nil {
		return "", err
	}
	if len(out.ImageDetails) != 1 {
		return "", errors.New("DescribeImages returns no image")
	}
	return aws.ToString(out.ImageDetails[0].ImageDigest), nil
}

// A user is a home directory whose docker config names our credential helper for registries, and whose ecrkit
// knows where their API is.
type user struct {
	home    string
	environ []string
}

func newUser(home, path string, registries ...*registry) (*user, error) {
	u := &user{home: home}
	docker, temporary := filepath.Join(home, ".docker"), filepath.Join(home, "tmp")
	for _, dir := range []string{docker, temporary} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	helpers := make(map[string]string)
	config := "registries:\n"
	for _, r := range registries {
		helpers[r.Addr] = "ecrkit"
		_, account, _ := strings.Cut(r.Env["ECRKIT_REGISTRIES"], "=")
		account, region, ok := strings.Cut(account, ".")
		if !ok {
			return nil, fmt.Errorf("ECRKIT_REGISTRIES is %q, not HOST=ACCOUNT.REGION", r.Env["ECRKIT_REGISTRIES"])
		}
		config += fmt.Sprintf("  - {host: %q, registry_id: %q, region: %s, endpoint: %q}\n", r.Addr, account, region, r.Env["AWS_ENDPOINT_URL_ECR"])
	}
	if err := writeJSON(filepath.Join(docker, "config.json"), map[string]any{"credHelpers": helpers}); err != nil {
		return nil, err
	}
	file := filepath.Join(home, "ecrkit.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, err
	}
	// The first registry's keys are those of all: each has the default account.
	u.environ = []string{
		"PATH=" + path, "HOME=" + home, "TMPDIR=" + temporary, "XDG_RUNTIME_DIR=" + home, "DOCKER_CONFIG=" + docker, "ECRKIT_CONFIG=" + file,
		"AWS_EC2_METADATA_DISABLED=true", "AWS_REGION=" + registries[0].Env["AWS_REGION"],
		"AWS_ACCESS_KEY_ID=" + registries[0].Env["AWS_ACCESS_KEY_ID"], "AWS_SECRET_ACCESS_KEY=" + registries[0].Env["AWS_SECRET_ACCESS_KEY"],
	}
	if len(registries) == 1 {
		u.environ = append(u.environ, "AWS_ENDPOINT_URL_STS="+registries[0].Env["AWS_ENDPOINT_URL_STS"])
	}
	return u, nil
}
