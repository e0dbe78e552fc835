// Release builds both binaries for every platform that ecrkit is published for and packs them:
//
//	go run ./internal/tools/release -o DIR
//
// writes DIR/ecrkit_VERSION_OS_ARCH.tar.gz (.zip for Windows) and DIR/SHA256SUMS. With the programs go
// man pages and completions. The same commit and the
// same Go release produce the same bytes on any machine and in any directory: the binaries are static,
// trimmed of paths and of the build ID, entries are sorted, and every time in an archive is that of the
// commit (SOURCE_DATE_EPOCH overrides it; 1980-01-01 when the build does not know its commit).
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
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"
)

type platform struct{ os, arch string }

var platforms = []platform{
	{"darwin", "amd64"}, {"darwin", "arm64"},
	{"linux", "amd64"}, {"linux", "arm64"},
	{"windows", "amd64"}, {"windows", "arm64"},
}

var programs = []string{"docker-credential-ecrkit", "ecrkit"}

func main() {
	out := flag.String("o", "dist", "directory for the archives and SHA256SUMS")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := release(ctx, *out); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func release(ctx context.Context, out string) error {
	work, err := os.MkdirTemp("", "ecrkit-release-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	var once []file
	shared := func(modified time.Time) (files []file, err error) {
		if once == nil {
			once, err = sharedFiles(ctx, work, modified)
		}
		return once, err
	}
	var sums bytes.Buffer
	for _, p := range platforms {
		name, archive, err := archiveFor(ctx, work, p, shared)
		if err != nil {
			return fmt.Errorf("%s/%s: %w", p.os, p.arch, err)
		}
		if err := os.WriteFile(filepath.Join(out, name), archive, 0o644); err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(archive), name)
		fmt.Printf("%s  %.1f MiB\n", filepath.Join(out, name), float64(len(archive))/(1<<20))
	}
	return os.WriteFile(filepath.Join(out, "SHA256SUMS"), sums.Bytes(), 0o644)
}

// archiveFor builds the programs for p and packs them with what belongs beside them.
func archiveFor(ctx context.Context, work string, p platform, shared func(time.Time) ([]file, error)) (name string, archive []byte, err error) {
	dir := filepath.Join(work, p.os+"_"+p.arch)
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w -buildid=", "-o", dir+string(filepath.Separator), "./cmd/...")
	// What else the environment may hold about the target would change the bytes.
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+p.os, "GOARCH="+p.arch, "GOAMD64=v1", "GOARM64=v8.0", "GOEXPERIMENT=")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		return "", nil, fmt.Errorf("go build: %w", err)
	}

	suffix := ""
	if p.os == "windows" {
		suffix = ".exe"
	}
	info, err := buildinfo.ReadFile(filepath.Join(dir, programs[0]+suffix))
	if err != nil {
		return "", nil, err
	}
	modified, err := commitTime(info)
	if err != nil {
		return "", nil, err
	}
	base := fmt.Sprintf("ecrkit_%s_%s_%s", version(info), p.os, p.arch)

	var files []file
	add := func(path string, mode os.FileMode) {
		data, readErr := os.ReadFile(path)
		err = errors.Join(err, readErr)
		files = append(files, file{name: base + "/" + filepath.Base(path), mode: mode, data: data})
	}
	for _, program := range programs {
		add(filepath.Join(dir, program+suffix), 0o755)
	}
	add("LICENSE", 0o644)
	add("README.md", 0o644)
	if p.os != "windows" { // install.sh needs a POSIX shell and installs names without .exe
		add("install.sh", 0o755)
		shared, sharedErr := shared(modified)
		err = errors.Join(err, sharedErr)
		for _, f := range shared {
			files = append(files, file{name: base + "/" + f.name, mode: f.mode, data: f.data})
		}
	}
	if err != nil {
		return "", nil, err
	}
	if p.os == "windows" {
		archive, err = zipped(files, modified)
		return base + ".zip", archive, err
	}
	archive, err = tarred(files, modified)
	return base + ".tar.gz", archive, err
}

// version is the module's version as the build knows it from the tag or commit, without the leading v.
func version(info *debug.BuildInfo) string {
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return strings.TrimPrefix(v, "v")
	}
	return "devel"
}

// commitTime is the one time that an archive's entries carry.
func commitTime(info *debug.BuildInfo) (time.Time, error) {
	if epoch := os.Getenv("SOURCE_DATE_EPOCH"); epoch != "" {
		seconds, err := strconv.ParseInt(epoch, 10, 64)
		if err != nil {
			return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH=%q is not a number of seconds", epoch)
		}
		return time.Unix(seconds, 0).UTC(), nil
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.time" {
			return time.Parse(time.RFC3339, setting.Value)
		}
	}
	return time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC), nil // the earliest time that a zip can hold
}
