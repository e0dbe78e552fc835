// Demo runs the main job before your eyes: it builds ecrkit, starts a local ECR on a free port, pushes an
// image for two platforms to it and signs it there, adds another tag, asks what exists and who signed it,
// pulls the image back once its signature is verified, compares, and is refused an image that nobody signed.
//
//	go run ./internal/tools/demo
//
// It needs only Go, prints every step as the command that a user would type, removes all that it made and
// exits with 1 on any difference.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/ecrkit/ecrkit/internal/test/stage"
)

const (
	repository = "demo/app"
	signingKey = "alias/ecrkit-p256" // in the KMS of the local ECR
	publicKey  = "release.pub"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) (err error) {
	started := time.Now()
	dir, err := os.MkdirTemp("", "ecrkit-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s := &shell{out: out, dir: dir}

	s.step("Build ecrkit and docker-credential-ecrkit, and an image of ecrkit for each of linux/amd64 and linux/arm64.")
	s.typed("go build -o bin/ ./cmd/...")
	bin := filepath.Join(dir, "bin")
	if err := stage.Commands(ctx, bin); err != nil {
		return err
	}
	want, err := stage.Images(ctx, filepath.Join(dir, "images"))
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "images is an OCI layout with the tags %s-amd64, %s-arm64 and %s, the index of both: %s\n",
		stage.Tag, stage.Tag, stage.Tag, want[stage.Tag])

	s.step("Start an ECR on this machine, with an AWS API and a registry, and point every client to it.")
	s.typed("ecrkit local --addr 127.0.0.1:0 --data data --quiet &")
	// Not --ephemeral: Ctrl-C reaches the server from the terminal and from here, and a second interrupt ends
	// it before it has removed its files.
	local, err := stage.StartLocal(ctx, filepath.Join(bin, "ecrkit"), os.Stderr,
		"--addr", "127.0.0.1:0", "--data", filepath.Join(dir, "data"), "--quiet")
	if err != nil {
		return err
	}
	defer func() {
		if stopErr := local.Stop(); err == nil {
			err = stopErr
		}
	}()
	fmt.Fprintln(out, "ecrkit local:", local.URL)
	s.typed(`eval "$(ecrkit local env --addr %s)"`, local.Addr)
	// Neither the user's configuration nor his token cache nor what he has pushed before takes part.
	s.bin, s.environ = bin, append(local.Environ(os.Environ()),
		"ECRKIT_CONFIG="+filepath.Join(dir, "config.yaml"), "ECRKIT_CACHE_DIR="+filepath.Join(dir, "cache"), "ECRKIT_STATE_DIR="+filepath.Join(dir, "state"))
	aws := &awsCalls{shell: s, client: local.ECR()}

	s.step("Create a repository.")
	if err := aws.createRepository(ctx, repository); err != nil {
		return err
	}

	s.step("Push the image for each platform, and the index of both, and sign each with a key in KMS before its tag is set.")
	name := local.Addr + "/" + repository
	for _, tag := range []string{stage.Tag + "-amd64", stage.Tag + "-arm64", stage.Tag} {
		if err := s.run(ctx, "ecrkit", "push", "oci:images:"+tag, name+":"+tag, "--sign", signingKey); err != nil {
			return err
		}
	}

	s.step("Give the index another tag: its manifest is read once and written once.")
	if err := s.run(ctx, "ecrkit", "tag", name+":"+stage.Tag, "latest"); err != nil {
		return err
	}
	want["latest"] = want[stage.Tag]

	s.step("What docker is told when it asks for the password of this registry.")
	if err := s.credentials(ctx, local.Addr); err != nil {
		return err
	}

	s.step("What ECR says is in the repository. The signatures have no tag.")
	got, err := aws.describeImages(ctx, repository)
	if err != nil {
		return err
	}
	for tag, digest := range want {
		if got[tag] != digest {
			return fmt.Errorf("%s:%s is %q in ECR, but %s was pushed", repository, tag, got[tag], digest)
		}
	}

	s.step("What is behind the tag.")
	if err := s.run(ctx, "ecrkit", "inspect", name+":latest"); err != nil {
		return err
	}

	s.step("Who signed it. The public key is all that others need for that.")
	if err := s.save(ctx, publicKey, "ecrkit", "public-key", signingKey); err != nil {
		return err
	}
	if err := s.run(ctx, "ecrkit", "tree", name+":latest", "--key", publicKey); err != nil {
		return err
	}

	s.step("Verify the index, pull it with both images into an OCI layout, and compare.")
	if err := s.run(ctx, "ecrkit", "pull", name+":"+stage.Tag, "oci:pulled:"+stage.Tag, "--verify", "--key", publicKey); err != nil {
		return err
	}
	blobs, err := compare(filepath.Join(dir, "images"), filepath.Join(dir, "pulled"), want[stage.Tag])
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "pulled has the index %s\nand all its %d blobs, each with the bytes that were pushed\n", want[stage.Tag], blobs)

	s.step("An image that nobody signed is refused, and nothing of it is written.")
	unsigned := local.Addr + "/demo/unsigned:" + stage.Tag
	if err := s.run(ctx, "ecrkit", "push", "oci:images:"+stage.Tag, unsigned, "--create-repository"); err != nil {
		return err
	}
	const integrity = 4 // the exit code
	if err := s.refused(ctx, integrity, "it is not signed", "ecrkit", "pull", unsigned, "oci:refused", "--verify", "--key", publicKey); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(dir, "refused")); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the image was refused, and yet there is the directory refused (error: %v)", err)
	}

	fmt.Fprintf(out, "\nDone in %.0f s. The local ECR is stopped and its files are removed.\n", time.Since(started).Seconds())
	return nil
}
