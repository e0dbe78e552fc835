// Release builds both binaries for every platform that ecrkit is published for and packs them:
//
//	go run ./internal/tools/release -o DIR [-key KEY]
//
// writes DIR/ecrkit_VERSION_OS_ARCH.tar.gz (.zip for Windows) with the programs, man pages and
// completions, an SBOM of each (….spdx.json, SPDX 2.3), their provenance
// (ecrkit_VERSION.provenance.json, an in-toto statement of SLSA v1) and SHA256SUMS of all these. With a
// key, named as for `ecrkit sign`, it signs SHA256SUMS (SHA256SUMS.sigstore.json, SHA256SUMS.sig) and
// the provenance (….provenance.json.sigstore.json).
//
// The same commit and the same Go release make the same bytes on any machine and in any directory, but
// for signatures: the binaries are static, trimmed of paths and of the build ID, entries are sorted, and
// every time is that of the commit (SOURCE_DATE_EPOCH overrides it; 1980-01-01 when the build does not
// know its commit).
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/ecrkit/ecrkit/internal/tools/commit"
)

type platform struct{ os, arch string }

var platforms = []platform{
	{"darwin", "amd64"}, {"darwin", "arm64"},
	{"linux", "amd64"}, {"linux", "arm64"},
	{"windows", "amd64"}, {"windows", "arm64"},
}

var programs = []string{"docker-credential-ecrkit", "ecrkit"}

func main() {
	var o options
	flag.StringVar(&o.out, "o", "dist", "directory for the archives and SHA256SUMS")
	flag.StringVar(&o.key, "key", "", "sign with this key of AWS KMS, file or environment variable (env://NAME)")
	flag.StringVar(&o.builder, "builder", defaultBuilder, "URI of who builds, for the provenance")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := release(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct{ out, key, builder string }

func release(ctx context.Context, o options) error {
	work, err := os.MkdirTemp("", "ecrkit-release-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	var once []file
	shared := func(modified time.Time) (files []file, err error) {
		if once == nil {
			once, err = sharedFiles(ctx, work, modified)
		}
		return once, err
	}
	var archives, boms []file
	var binaries []binary
	for _, p := range platforms {
		built, err := archiveFor(ctx, work, p, shared)
		if err != nil {
			return fmt.Errorf("%s/%s: %w", p.os, p.arch, err)
		}
		archives = append(archives, built.archive)
		boms = append(boms, built.sbom)
		binaries = append(binaries, built.binaries...)
		fmt.Printf("%s  %.1f MiB\n", filepath.Join(o.out, built.archive.name), float64(len(built.archive.data))/(1<<20))
	}
	made, err := provenance(o.builder, slices.Concat(archives, boms), binaries)
	if err != nil {
		return err
	}
	statement := file{name: "ecrkit_" + commit.Version(binaries[0].info) + ".provenance.json"}
	if statement.data, err = encode(made); err != nil {
		return err
	}
	if err := writeRelease(o.out, slices.Concat(archives, boms, []file{statement})); err != nil || o.key == "" {
		return err
	}
	predicate, err := encode(made.Predicate)
	if err != nil {
		return err
	}
	return signRelease(ctx, hostProgram(work), o.key, o.out, statement.name, predicate, slices.Concat(archives, boms))
}

// writeRelease writes files and SHA256SUMS, which covers them. Signatures of another release, which
// would not be of these files, do not stay.
func writeRelease(out string, files []file) error {
	var sums bytes.Buffer
	for _, f := range sorted(files) {
		if err := os.WriteFile(filepath.Join(out, f.name), f.data, 0o644); err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(f.data), f.name)
	}
	stale := []string{"SHA256SUMS.sig", "SHA256SUMS.sigstore.json"}
	for _, f := range files {
		stale = append(stale, f.name+".sigstore.json")
	}
	for _, name := range stale {
		if err := os.Remove(filepath.Join(out, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return os.WriteFile(filepath.Join(out, "SHA256SUMS"), sums.Bytes(), 0o644)
}

// built is what is made for one platform.
type built struct {
	archive, sbom file
	binaries      []binary
}

// archiveFor builds the programs for p and packs them with what belongs beside them.
func archiveFor(ctx context.Context, work string, p platform, shared func(time.Time) ([]file, error)) (built, error) {
	dir := filepath.Join(work, p.os+"_"+p.arch)
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w -buildid=", "-o", dir+string(filepath.Separator), "./cmd/...")
	// What else the environment may hold about the target would change the bytes.
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+p.os, "GOARCH="+p.arch, "GOAMD64=v1", "GOARM64=v8.0", "GOEXPERIMENT=")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		return built{}, fmt.Errorf("go build: %w", err)
	}

	suffix := ""
	if p.os == "windows" {
		suffix = ".exe"
	}
	var result built
	var files []file
	for _, program := range programs {
		b := binary{name: program + suffix}
		var err error
		if b.data, err = os.ReadFile(filepath.Join(dir, b.name)); err != nil {
			return built{}, err
		}
		if b.info, err = buildinfo.Read(bytes.NewReader(b.data)); err != nil {
			return built{}, fmt.Errorf("%s: %w", b.name, err)
		}
		result.binaries = append(result.binaries, b)
		files = append(files, file{b.name, 0o755, b.data})
	}
	info := result.binaries[0].info
	modified, err := commit.Time(info)
	if err != nil {
		return built{}, err
	}
	for _, f := range []file{{name: "LICENSE", mode: 0o644}, {name: "README.md", mode: 0o644}, {name: "install.sh", mode: 0o755}} {
		if p.os == "windows" && f.name == "install.sh" {
			continue // it needs a POSIX shell and installs names without .exe
		}
		if f.data, err = os.ReadFile(f.name); err != nil {
			return built{}, err
		}
		files = append(files, f)
	}
	if p.os != "windows" {
		shared, err := shared(modified)
		if err != nil {
			return built{}, err
		}
		files = append(files, shared...)
	}
	base := fmt.Sprintf("ecrkit_%s_%s_%s", commit.Version(info), p.os, p.arch)
	for i := range files {
		files[i].name = base + "/" + files[i].name
	}
	pack := tarred
	result.archive = file{name: base + ".tar.gz"}
	if p.os == "windows" {
		pack, result.archive.name = zipped, base+".zip"
	}
	if result.archive.data, err = pack(files, modified); err != nil {
		return built{}, err
	}
	result.sbom.name = result.archive.name + ".spdx.json"
	result.sbom.data, err = sbom(result.archive.name, result.archive.data, result.binaries, modified)
	return result, err
}
