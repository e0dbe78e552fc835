//go:build unix

package session_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ecrkit/ecrkit/internal/test/binaries"
	"github.com/ecrkit/ecrkit/internal/test/session"
)

// The test's program is that of the session and of a command in its own process, too.
func TestMain(m *testing.M) {
	switch {
	case len(os.Args) == 2 && os.Args[1] == "serve":
		if err := session.Serve(command); err != nil {
			panic(err)
		}
	case os.Getenv("COMMAND") != "":
		os.Exit(command(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.LookupEnv))
	default:
		os.Exit(m.Run())
	}
}

// command prints what it was started with; with the argument "nest" it runs itself.
func command(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, lookup func(string) (string, bool)) int {
	input, err := io.ReadAll(stdin)
	if err != nil {
		panic(err)
	}
	dir, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	value, found := lookup("VALUE")
	fmt.Fprintf(stdout, "%d|%q|%s|%s|%q %t\n", os.Getpid(), args, input, filepath.Base(dir), value, found)
	fmt.Fprintln(stderr, "to stderr")
	if len(args) == 2 && args[0] == "nest" {
		cmd := exec.CommandContext(ctx, args[1])
		cmd.Stdout = stdout
		if err := cmd.Run(); err != nil {
			panic(err)
		}
	}
	return len(args)
}

func TestSession(t *testing.T) {
	dir := t.TempDir()
	if err := binaries.Build(dir, "internal/test/session/client"); err != nil {
		t.Fatal(err)
	}
	client, host := filepath.Join(dir, "client"), os.Args[0]
	variables, end, err := session.Start(host, host, "serve")
	if err != nil {
		t.Fatal(err)
	}
	variables = append(variables, "COMMAND=yes", "PWD="+dir)
	run := func(extra string, args ...string) (lines [][]string, code int) {
		t.Helper()
		var stdout, stderr strings.Builder
		cmd := exec.Command(client, args...)
		cmd.Dir, cmd.Env = dir, variables
		if extra != "" {
			cmd.Env = append(variables, extra)
		}
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader("text"), &stdout, &stderr
		if err := cmd.Run(); cmd.ProcessState == nil {
			t.Fatal(err)
		}
		if stderr.String() != "to stderr\n" {
			t.Errorf("stderr: %q", stderr.String())
		}
		for line := range strings.Lines(stdout.String()) {
			lines = append(lines, strings.Split(strings.TrimSuffix(line, "\n"), "|"))
		}
		return lines, cmd.ProcessState.ExitCode()
	}
	want := func(lines [][]string, code int, wantCode int, wantLines ...string) (pid string) {
		t.Helper()
		if code != wantCode || len(lines) != len(wantLines) {
			t.Fatalf("exit code %d, want %d: %q", code, wantCode, lines)
		}
		for i, line := range lines {
			if got := strings.Join(line[1:], "|"); got != wantLines[i] {
				t.Errorf("got %s, want %s", got, wantLines[i])
			}
		}
		return lines[0][0]
	}
	base := filepath.Base(dir)

	lines, code := run("VALUE=x", "a", "b c")
	first := want(lines, code, 2, `["a" "b c"]|text|`+base+`|"x" true`)
	lines, code = run("")
	if second := want(lines, code, 0, `[]|text|`+base+`|"" false`); second != first {
		t.Errorf("the processes %s and %s ran two commands", first, second)
	}
	lines, code = run(session.OwnProcess + "=yes")
	if own := want(lines, code, 0, `[]|text|`+base+`|"" false`); own == first {
		t.Error("the session ran a command that asked for a process of its own")
	}
	lines, code = run("", "nest", client)
	want(lines, code, 2, fmt.Sprintf(`["nest" %q]|text|`, client)+base+`|"" false`, `[]||`+base+`|"" false`)
	if lines[0][0] != first || lines[1][0] == first {
		t.Errorf("while the session %s ran %q, it ran another: %q", first, lines[0], lines[1])
	}
	if err := end(); err != nil {
		t.Error(err)
	}
}
