// Demo runs the main job before your eyes: it builds ecrkit, starts a local ECR, pushes a signed image for two
// platforms, keeps an image with critical findings from its tag, previews and puts a lifecycle policy, resumes
// a pull that was killed, carries a new version to a second ECR as the difference of a layer, and is refused an
// image that nobody signed.
//
//	go run ./internal/tools/demo
//
// It needs only Go, prints every step as the command that a user would type, removes all that it made and
// exits with 1 on any difference. Digests and addresses are shortened in what it prints.
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

// Exit codes of ecrkit.
const (
	exitIntegrity = 4
	exitConflict  = 5
)

// findings is what scans find: in demo/risky one vulnerability that the gate stops.
const findings = `[{"repositoryName": "demo/risky", "imageScanFindings": {"findings": [
  {"name": "CVE-2026-0001", "severity": "CRITICAL", "attributes": [{"key": "package_name", "value": "zlib"}]}]}}]`

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

	s.step("Build ecrkit, and an image of it for each of linux/amd64 and linux/arm64. The first time takes a minute or two.")
	s.typed("go build -o bin/ ./cmd/...")
	bin := filepath.Join(dir, "bin")
	if err := stage.Commands(ctx, bin); err != nil {
		return err
	}
	want, err := stage.Images(ctx, filepath.Join(dir, "images"))
	if err != nil {
		return err
	}
	if err := stage.Versions(filepath.Join(dir, "versions"), "1", "2"); err != nil {
		return err
	}
	built := time.Now()
	fmt.Fprintf(out, "Built in %.0f s. Digests and addresses are shortened from here on.\n", built.Sub(started).Seconds())

	s.step("Start an ECR on this machine, and a second one behind a slow line.")
	s.typed("ecrkit local --quiet & ecrkit local --quiet --per-connection-rate 4MiB &")
	fixture := filepath.Join(dir, "findings.json")
	if err := os.WriteFile(fixture, []byte(findings), 0o644); err != nil {
		return err
	}
	// Not --ephemeral: Ctrl-C reaches the server from the terminal and from here, and a second interrupt ends
	// it before it has removed its files.
	start := func(data string, more ...string) (*stage.Local, error) {
		args := []string{"--addr", "127.0.0.1:0", "--data", filepath.Join(dir, data), "--quiet", "--scan-time", "1s", "--preview-time", "1s"}
		return stage.StartLocal(ctx, filepath.Join(bin, "ecrkit"), os.Stderr, append(args, more...)...)
	}
	stopAtEnd := func(l *stage.Local) {
		if stopErr := l.Stop(); err == nil {
			err = stopErr
		}
	}
	local, err := start("data", "--scan-findings", fixture)
	if err != nil {
		return err
	}
	defer stopAtEnd(local)
	far, err := start("far", "--per-connection-rate", "4MiB")
	if err != nil {
		return err
	}
	defer stopAtEnd(far)
	s.short = [][2]string{{local.Addr, "ECR"}, {far.Addr, "FAR"}}
	// Neither the user's configuration nor his token cache nor what he has pushed before takes part.
	s.bin, s.environ = bin, append(local.Environ(os.Environ()),
		"ECRKIT_REGISTRIES="+local.Addr+"=000000000000.us-east-1,"+far.Addr+"=000000000000.us-east-1", "COLUMNS=80",
		"ECRKIT_CONFIG="+filepath.Join(dir, "config.yaml"), "ECRKIT_CACHE_DIR="+filepath.Join(dir, "cache"), "ECRKIT_STATE_DIR="+filepath.Join(dir, "state"))
	d := &demo{shell: s, near: local.Addr, far: far.Addr, want: want}
	for _, part := range []func(context.Context) error{d.push, d.gate, d.lifecycle, d.resume, d.mirror, d.unsigned} {
		if err := part(ctx); err != nil {
			return err
		}
	}

	fmt.Fprintf(out, "\nDone in %.0f s, %.0f s of them to build. All servers and files are removed.\n",
		time.Since(started).Seconds(), built.Sub(started).Seconds())
	fmt.Fprint(out, `
Now try:
  make build                               # bin/ecrkit and the helper of docker
  bin/ecrkit local --ephemeral &           # an ECR of your own
  eval "$(bin/ecrkit local env)"
  bin/ecrkit repo create hello && bin/ecrkit ls "$ECRKIT_REGISTRY/"
  bin/ecrkit doctor "$ECRKIT_REGISTRY"     # what is wrong, if anything
  bin/ecrkit --help
`)
	return nil
}

// demo is what the parts of the demonstration share.
type demo struct {
	*shell
	near, far string            // addresses of the two registries
	want      map[string]string // digests of the images by tag
}

// push pushes a signed index and shows it.
func (d *demo) push(ctx context.Context) error {
	name := d.near + "/" + repository
	d.step("Push the index of both images, and sign it with a key in KMS before its tag is set.")
	if err := d.run(ctx, "ecrkit", "push", "oci:images:"+stage.Tag, name+":"+stage.Tag, "--sign", signingKey, "--create-repository"); err != nil {
		return err
	}
	d.step("Give it another tag, and see what is in the repository.")
	if err := d.run(ctx, "ecrkit", "tag", name+":"+stage.Tag, "latest"); err != nil {
		return err
	}
	for _, tag := range []string{stage.Tag, "latest"} {
		got, err := d.output(ctx, "ecrkit", "digest", name+":"+tag)
		if err != nil {
			return err
		}
		if got != d.want[stage.Tag]+"\n" {
			return fmt.Errorf("%s:%s is %q in ECR, but %s was pushed", repository, tag, got, d.want[stage.Tag])
		}
	}
	if err := d.run(ctx, "ecrkit", "ls", name); err != nil {
		return err
	}
	d.step("Who signed it. The public key is all that others need for that.")
	if err := d.save(ctx, publicKey, "ecrkit", "public-key", signingKey); err != nil {
		return err
	}
	if err := d.run(ctx, "ecrkit", "tree", name+":latest", "--key", publicKey); err != nil {
		return err
	}
	d.step("What docker is told when it asks for the password of this registry.")
	return d.credentials(ctx, d.near)
}

// gate has a scan keep an image from its tag.
func (d *demo) gate(ctx context.Context) error {
	d.step("An image with a critical finding gets no tag.")
	if err := d.save(ctx, "gate.yaml", "ecrkit", "scan", "policy", "new"); err != nil {
		return err
	}
	risky := d.near + "/demo/risky"
	if err := d.refused(ctx, exitConflict, "CVE-2026-0001", "ecrkit", "push", "oci:versions:1", risky+":1", "--create-repository", "--scan-gate", "gate.yaml"); err != nil {
		return err
	}
	if _, err := d.output(ctx, "ecrkit", "digest", risky+":1"); err == nil {
		return errors.New("the image was refused, and yet it has the tag")
	}
	return d.run(ctx, "ecrkit", "push", "oci:versions:1", d.near+"/demo/web:1", "--create-repository", "--scan-gate", "gate.yaml")
}

// lifecycle writes a policy, shows what it would delete, and puts it.
func (d *demo) lifecycle(ctx context.Context) error {
	d.step("Write a lifecycle policy, see what it would delete in 100 days and why, preview it on ECR, and put it.")
	web := d.near + "/demo/web"
	if err := d.save(ctx, "policy.json", "ecrkit", "lifecycle", "new", "--any-older-than", "90"); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"lifecycle", "evaluate", "--policy", "policy.json", "--images", web, "--at", "+100d"},
		{"lifecycle", "preview", web, "--policy", "policy.json"},
		{"lifecycle", "put", web, "--policy", "policy.json", "--yes"},
	} {
		if err := d.run(ctx, "ecrkit", args...); err != nil {
			return err
		}
	}
	return nil
}

// resume kills a pull and runs it again.
func (d *demo) resume(ctx context.Context) error {
	d.step("Copy the image to the second ECR, verify and pull it from there, and kill the pull half-way. The next one resumes.")
	from, to := d.near+"/"+repository+":"+stage.Tag, d.far+"/"+repository+":"+stage.Tag
	if err := d.run(ctx, "ecrkit", "copy", from, to, "--referrers", "--create-repository"); err != nil {
		return err
	}
	pull := []string{"pull", to, "oci:pulled:" + stage.Tag, "--verify", "--key", publicKey, "--connections", "2"}
	if err := d.killed(ctx, filepath.Join(d.dir, "pulled"), "ecrkit", pull...); err != nil {
		return err
	}
	said, err := d.runSaid(ctx, "ecrkit", pull...)
	if err != nil {
		return err
	}
	if !resumed(said) {
		return errors.New("the second pull resumed nothing")
	}
	blobs, err := compare(filepath.Join(d.dir, "images"), filepath.Join(d.dir, "pulled"), d.want[stage.Tag])
	if err != nil {
		return err
	}
	fmt.Fprintf(d.out, "All %d blobs have the bytes that were pushed.\n", blobs)
	return nil
}

// mirror carries images in files, the second time only what changed inside of a layer.
func (d *demo) mirror(ctx context.Context) error {
	d.step("Carry images across an air gap: export them to a directory, verify it, and import it on the other side.")
	web, plant := d.near+"/demo/web", d.far+"/plant"
	for _, args := range [][]string{
		{"mirror", "export", web, "--to", "usb1"},
		{"mirror", "verify", "usb1"},
		{"mirror", "import", "usb1", plant},
	} {
		if err := d.run(ctx, "ecrkit", args...); err != nil {
			return err
		}
	}
	d.step("Of a new version only the difference of the layer is carried. The digest stays.")
	if err := d.save(ctx, "have.json", "ecrkit", "mirror", "inventory", plant); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"push", "oci:versions:2", web + ":2"},
		{"mirror", "export", web, "--to", "usb2", "--have", "have.json", "--delta"},
		{"mirror", "import", "usb2", plant},
	} {
		if err := d.run(ctx, "ecrkit", args...); err != nil {
			return err
		}
	}
	near, err := d.output(ctx, "ecrkit", "digest", web+":2")
	if err != nil {
		return err
	}
	far, err := d.output(ctx, "ecrkit", "digest", plant+"/demo/web:2")
	if err != nil {
		return err
	}
	if near != far {
		return fmt.Errorf("%s:2 is %q, and %q after the import", web, near, far)
	}
	return nil
}

// unsigned is refused an image that nobody signed.
func (d *demo) unsigned(ctx context.Context) error {
	d.step("An image that nobody signed is refused, and nothing of it is written.")
	if err := d.refused(ctx, exitIntegrity, "it is not signed", "ecrkit", "pull", d.near+"/demo/web:2", "oci:refused:2", "--verify", "--key", publicKey); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(d.dir, "refused")); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the image was refused, and yet there is the directory refused (error: %v)", err)
	}
	return nil
}
