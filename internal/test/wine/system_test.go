//go:build interop_windows

package wine

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/ecrkit/ecrkit/localecr"
)

// testInterrupt presses Ctrl-C: Wine makes it of the signal.
func testInterrupt(t *testing.T, m *machine) {
	s := m.site(t, localecr.Options{Shape: localecr.NetworkShape{Rate: 4 * mib}})
	want := s.tag(t, "app", "1.0", 1, 16*mib)
	pull := []string{"pull", s.image("app:1.0"), "oci:out:1.0", "--connections", "1"}
	stderr, code := s.interrupted(t, func() bool {
		_, err := os.Stat(s.file(`out\oci-layout`))
		return err == nil && s.audit.count("GetDownloadUrlForLayer") > 0
	}, pull...)
	if code != 130 || !strings.Contains(stderr, "interrupted; run the command again to resume") {
		t.Errorf("exit code %d:\n%s", code, stderr)
	}
	if ls := s.run(t, ecrkit, "ls", "oci:out"); strings.Contains(ls, want) {
		t.Errorf("half an image is in the layout:\n%s", ls)
	}
}

// interrupted runs ecrkit and presses Ctrl-C as soon as working reports that the command is under way.
func (s *site) interrupted(t *testing.T, working func() bool, args ...string) (stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), commandTime)
	defer cancel()
	cmd := s.command(ctx, ecrkit, args...)
	var messages bytes.Buffer
	cmd.Stderr = &messages
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for !working() {
		time.Sleep(5 * time.Millisecond)
		if ctx.Err() != nil {
			break
		}
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	var ended *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	return messages.String(), cmd.ProcessState.ExitCode()
}

// testOpenFiles replaces files that other programs have open or that are read-only.
func testOpenFiles(t *testing.T, m *machine) {
	s := m.site(t, localecr.Options{})
	want := s.tag(t, "app", "1.0", 1, 1000)
	image := s.image("app:1.0")
	s.copied(t, want, "pull", image, "oci:out:1")

	release := s.hold(t, `out\index.json`)
	s.refused(t, 1, `index.json`, ecrkit, "pull", image, "oci:out:2")
	if ls := s.run(t, ecrkit, "ls", "out"); !strings.Contains(ls, want) {
		t.Errorf("the layout is not valid any more: %s", ls)
	}
	time.AfterFunc(300*time.Millisecond, release) // as a virus scanner does
	s.copied(t, want, "pull", image, "oci:out:2")
	s.noLeftovers(t, "out")

	// Somebody reads the layout, also the file that makes it one.
	release = s.hold(t, `out\oci-layout`)
	s.copied(t, want, "pull", image, "oci:out:3")
	release()

	if err := os.Chmod(s.file(`out\index.json`), 0o444); err != nil {
		t.Fatal(err)
	}
	s.copied(t, want, "pull", image, "oci:out:4")
	s.run(t, ecrkit, "pull", image, "oci-archive:out.tar:1")
	release = s.hold(t, `out.tar`)
	s.refused(t, 1, `out.tar`, ecrkit, "pull", image, "oci-archive:out.tar:2")
	release()
	s.copied(t, want, "pull", image, "oci-archive:out.tar:2")

	// The helper's files too: it answers whatever becomes of its cache.
	token := s.get(t, s.server.Registry)
	if s.get(t, s.server.Registry) != token {
		t.Error("the second answer is another")
	}
}

// hold has another program open a file until release is called.
func (s *site) hold(t *testing.T, path string) (release func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), commandTime)
	t.Cleanup(cancel)
	cmd := s.command(ctx, "client", "hold", path)
	cmd.Stdin = nil
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
		t.Fatalf("client hold: %q, %v", line, err)
	}
	return func() {
		_ = stdin.Close()
		_ = cmd.Wait()
	}
}

// testLocal serves a local ECR from Windows.
func testLocal(t *testing.T, m *machine) {
	u := m.user(t)
	ctx, cancel := context.WithTimeout(t.Context(), commandTime)
	defer cancel()
	cmd := u.command(ctx, ecrkit, "local", "--ephemeral", "--addr", "127.0.0.1:0", "--output", "json")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var messages bytes.Buffer
	cmd.Stderr = &messages
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var where struct{ Registry string }
	if err := json.NewDecoder(stdout).Decode(&where); err != nil {
		t.Fatalf("%v\n%s", err, &messages)
	}
	var environ map[string]string
	if err := json.Unmarshal([]byte(u.run(t, ecrkit, "local", "env", "--addr", where.Registry, "--output", "json")), &environ); err != nil {
		t.Fatal(err)
	}
	var list []string
	for name, value := range environ {
		list = append(list, name+"="+value)
	}
	u = u.with(list...)
	u.run(t, ecrkit, "push", u.dockerArchive(t), where.Registry+"/hello:1", "--create-repository")
	u.run(t, ecrkit, "pull", where.Registry+"/hello:1", "oci:out:1")
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, stdout)
	if err := cmd.Wait(); err != nil {
		t.Errorf("ecrkit local: %v\n%s", err, &messages)
	}
}
