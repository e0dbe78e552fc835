package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestInstallChecksArchive runs install.sh with an archive of programs that are scripts. Which signatures
// count is tested with the real programs in `make interop`; here ecrkit is one that says yes or no.
func TestInstallChecksArchive(t *testing.T) {
	const name = "ecrkit_1.2.3_linux_amd64.tar.gz"
	base := strings.TrimSuffix(name, ".tar.gz")
	archive, err := tarred([]file{
		{base + "/ecrkit", 0o755, []byte("#!/bin/sh\n")}, {base + "/docker-credential-ecrkit", 0o755, []byte("#!/bin/sh\n")},
		{base + "/share/man/man1/ecrkit.1", 0o644, []byte("page")},
	}, modified)
	if err != nil {
		t.Fatal(err)
	}
	other, err := tarred([]file{{base + "/ecrkit", 0o755, nil}}, modified)
	if err != nil {
		t.Fatal(err)
	}
	sum := func(data []byte) string { return fmt.Sprintf("%x  %s\n", sha256.Sum256(data), name) }
	for _, test := range []struct {
		name    string
		archive []byte
		sums    string // "" means none
		key     bool
		bundle  bool
		verdict string // exit code of the ecrkit that checks
		code    int
		want    string // in the output
	}{
		{name: "good", archive: archive, sums: sum(archive), want: "signature of SHA256SUMS was not checked"},
		{name: "good among others", archive: archive, sums: "00  x.zip\n" + sum(archive), want: "has the SHA-256"},
		{name: "changed", archive: append(archive, 0), sums: sum(archive), code: 1, want: "is not the released file"},
		{name: "no sums", archive: archive, code: 1, want: "there is no "},
		{name: "sums of another release", archive: archive, sums: "00  x.zip\n", code: 1, want: "does not list " + name},
		{name: "listed twice", archive: archive, sums: sum(archive) + sum(other), code: 1, want: "is not the released file"},
		{name: "another archive of the name", archive: other, sums: sum(other), code: 1, want: "has no " + base + "/docker-credential-ecrkit"},
		{name: "signed", archive: archive, sums: sum(archive), key: true, bundle: true, verdict: "0", want: "(checked by ecrkit)"},
		{name: "not signed with the key", archive: archive, sums: sum(archive), key: true, bundle: true, verdict: "4", code: 1, want: "is not signed with"},
		{name: "signed, and changed", archive: append(archive, 0), sums: sum(archive), key: true, bundle: true, verdict: "0", code: 1, want: "is not the released file"},
		{name: "not signed", archive: archive, sums: sum(archive), key: true, verdict: "0", code: 1, want: "the signature cannot be checked"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir, tmp := t.TempDir(), t.TempDir()
			write := func(name, data string) {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			write(name, string(test.archive))
			if test.sums != "" {
				write("SHA256SUMS", test.sums)
			}
			if test.bundle {
				write("SHA256SUMS.sigstore.json", "{}")
			}
			write("ecrkit", "#!/bin/sh\n[ \"$2\" = --help ] || exit "+test.verdict+"\n")
			args := []string{"../../../install.sh", "--prefix", filepath.Join(dir, "prefix"), "--archive", filepath.Join(dir, name)}
			if test.key {
				write("release.pub", "a public key")
				args = append(args, "--key", filepath.Join(dir, "release.pub"))
			}
			cmd := exec.CommandContext(t.Context(), "sh", args...)
			cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "TMPDIR="+tmp)
			out, err := cmd.CombinedOutput()
			var failed *exec.ExitError
			if err != nil && !errors.As(err, &failed) {
				t.Fatal(err)
			}
			if code := cmd.ProcessState.ExitCode(); code != test.code || !strings.Contains(string(out), test.want) {
				t.Errorf("exit code %d, want %d with %q:\n%s", code, test.code, test.want, out)
			}
			for _, installed := range []string{"bin/ecrkit", "bin/docker-credential-ecrkit", "share/man/man1/ecrkit.1"} {
				if _, err := os.Stat(filepath.Join(dir, "prefix", installed)); (err == nil) != (test.code == 0) {
					t.Errorf("%s: %v", installed, err)
				}
			}
			if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
	for _, args := range [][]string{{"--key", "k"}, {"--archive"}, {"--archive", "a", "--uninstall"}} {
		cmd := exec.CommandContext(t.Context(), "sh", append([]string{"../../../install.sh"}, args...)...)
		if err := cmd.Run(); cmd.ProcessState.ExitCode() != 2 {
			t.Errorf("install.sh %q: %v", args, err)
		}
	}
}

// TestInstallFollowsNoLink has a link lie where install.sh once put its copy of a program: a directory such as
// /usr/local/bin may belong to others too.
func TestInstallFollowsNoLink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	bin := filepath.Join(dir, "prefix", "bin")
	if err := os.MkdirAll(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	victim := filepath.Join(dir, "victim")
	script, err := os.ReadFile("../../../install.sh")
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{"install.sh": string(script), "ecrkit": "#!/bin/sh\n", "docker-credential-ecrkit": "#!/bin/sh\n", "victim": "precious"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	// exec keeps the process ID, which is what the name had.
	plant := `for p in ecrkit docker-credential-ecrkit; do ln -s "$1/victim" "$1/prefix/bin/.$p.$$"; done; exec sh "$1/install.sh" --prefix "$1/prefix"`
	out, err := exec.CommandContext(t.Context(), "sh", "-c", plant, "sh", dir).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if data, err := os.ReadFile(victim); err != nil || string(data) != "precious" {
		t.Errorf("the victim has %q, %v", data, err)
	}
	for _, name := range []string{"ecrkit", "docker-credential-ecrkit"} {
		if info, err := os.Lstat(filepath.Join(bin, name)); err != nil || !info.Mode().IsRegular() || info.Mode().Perm() != 0o755 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}
