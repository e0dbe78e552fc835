//go:build unix

package cli

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A command that waits for the other end of a named pipe ends when it is interrupted: a writer that
// has it open and writes nothing, or a reader that never comes.
func TestInterruptedAtPipe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	held, unread := filepath.Join(dir, "held"), filepath.Join(dir, "unread")
	for _, path := range []string{held, unread} {
		check(t, syscall.Mkfifo(path, 0o600))
	}
	other, err := os.OpenFile(held, os.O_RDWR, 0)
	check(t, err)
	defer other.Close()
	check(t, os.WriteFile(filepath.Join(dir, "text"), []byte("{}"), 0o600))
	check(t, os.WriteFile(filepath.Join(dir, "policy"), []byte(`{"rules":[{"rulePriority":1,"selection":{"tagStatus":"untagged","countType":"imageCountMoreThan","countNumber":7},"action":{"type":"expire"}}]}`), 0o600))
	password := func(name string) (string, bool) { return "", name == "COSIGN_PASSWORD" }
	if code := Main(t.Context(), []string{"generate-key-pair", filepath.Join(dir, "key")}, nil, io.Discard, os.Stderr, password); code != exitDone {
		t.Fatal("no key")
	}
	for _, line := range []string{
		"lifecycle lint HELD", "lifecycle evaluate --policy HELD --images HELD", "lifecycle evaluate --policy POLICY --images HELD",
		"scan report --findings HELD", "scan gate --policy HELD --findings TEXT", "repo apply HELD", "repo policy set HELD app",
		"registry policy set HELD", "registry replication set HELD", "signing set HELD", "mirror plan HELD", "mirror apply HELD", "mirror report HELD",
		"sign-blob HELD --key KEY.key", "sign-blob TEXT --key HELD", "verify-blob TEXT --key HELD", "verify-blob TEXT --key KEY.pub --bundle HELD",
		"attest-blob HELD --key KEY.key --type custom --predicate TEXT --bundle BUNDLE", "attest-blob TEXT --key KEY.key --type custom --predicate TEXT --bundle UNREAD", "public-key HELD", "verify 127.0.0.1:1/app:1 --policy HELD",
		"inspect oci-archive:HELD", "inspect docker-archive:HELD",
		"local --ephemeral --addr 127.0.0.1:0 --faults HELD", "local --ephemeral --addr 127.0.0.1:0 --scan-findings HELD",
		"sign-blob TEXT --key KEY.key --bundle UNREAD", "sign-blob TEXT --key KEY.key --output-signature UNREAD",
		"digest 127.0.0.1:1/app:1 --digest-file UNREAD", "local --ephemeral --addr 127.0.0.1:0 --audit UNREAD",
	} {
		args := strings.Fields(strings.NewReplacer("HELD", held, "UNREAD", unread, "BUNDLE", filepath.Join(dir, "bundle"), "POLICY", filepath.Join(dir, "policy"), "TEXT", filepath.Join(dir, "text"), "KEY", filepath.Join(dir, "key")).Replace(line))
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		ended := make(chan int, 1)
		var messages strings.Builder
		go func() { ended <- Main(ctx, args, nil, io.Discard, &messages, password) }()
		select {
		case <-ended:
		case <-t.Context().Done():
		case <-time.After(time.Minute):
			t.Fatalf("%s goes on", line)
		}
		cancel()
		if text := messages.String(); !strings.Contains(text, "context deadline exceeded") {
			t.Errorf("%s: %s", line, text)
		}
	}
	reader, err := os.OpenFile(unread, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	check(t, err)
	check(t, reader.Close())
}
