//go:build interop_windows

package wine

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var (
	archive = flag.String("archive", "", "`file` ecrkit_VERSION_windows_amd64.zip, as make release writes it")
	bin     = flag.String("bin", "", "`directory` of ecrkit.exe and docker-credential-ecrkit.exe, in place of -archive")
	keep    = flag.String("keep", "", "`directory` in which Wine is installed, or was by an earlier run, in place of a temporary one")
)

// commandTime bounds every command that a test runs.
const commandTime = time.Minute

// bootTime bounds the installation of Wine.
const bootTime = 4 * time.Minute

// Where Debian installs Wine: neither program is in the PATH.
const (
	wineProgram   = "/usr/lib/wine/wine64"
	serverProgram = "/usr/lib/wine/wineserver64"
)

// TestWindows has one Windows installation for all tests, since making one takes longest.
func TestWindows(t *testing.T) {
	m := install(t)
	t.Run("Tests", func(t *testing.T) {
		for name, test := range map[string]func(t *testing.T, m *machine){
			"Helper":    testHelper,
			"Parallel":  testParallel,
			"Places":    testPlaces,
			"Images":    testImages,
			"Large":     testLarge,
			"Paths":     testPaths,
			"Sign":      testSign,
			"Govern":    testGovern,
			"Interrupt": testInterrupt,
			"OpenFiles": testOpenFiles,
			"Local":     testLocal,
			"Docs":      testDocs,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, m)
			})
		}
	})
}

// A machine is a Windows of its own, with ecrkit in C:\Program Files\ecrkit and in the PATH.
type machine struct {
	dir     string // directory of drive C:
	environ []string
}

// programs is where the binaries are installed, as docs/windows.md says.
const programs = `C:\Program Files\ecrkit`

// install makes the Windows installation and starts its one server process, which ends after the test.
func install(t *testing.T) *machine {
	t.Helper()
	for _, program := range []string{wineProgram, serverProgram} {
		if _, err := os.Stat(program); err != nil {
			t.Fatalf("%v: `make interop-windows` installs what is missing", err)
		}
	}
	work := *keep
	if work == "" {
		work = t.TempDir()
	}
	prefix := filepath.Join(work, "prefix")
	mkdir(t, prefix, filepath.Join(work, "home"))
	m := &machine{dir: filepath.Join(prefix, "drive_c")}
	m.environ = []string{
		"PATH=/usr/bin:/bin", "HOME=" + filepath.Join(work, "home"), "USER=dev", "LOGNAME=dev", "LANG=C.UTF-8",
		"WINEPREFIX=" + prefix, "WINEARCH=win64", "WINEDEBUG=-all", "WINEDLLOVERRIDES=mscoree,mshtml,winemenubuilder.exe=",
		"WINEPATH=" + programs, // in front of the PATH of Windows
	}
	m.startServer(t)
	m.boot(t)

	compile := exec.CommandContext(t.Context(), "x86_64-w64-mingw32-gcc", "-shared", "-O2", "-s",
		"-o", filepath.Join(m.dir, "windows", "system32", "bcryptprimitives.dll"), "testdata/bcryptprimitives.c", "-ladvapi32")
	if out, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("bcryptprimitives.dll: %v\n%s", err, out)
	}
	m.installPrograms(t)
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", filepath.Join(m.path(programs), "client.exe"), "./client")
	build.Env = append(os.Environ(), "GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("client.exe: %v\n%s", err, out)
	}
	return m
}

// boot lets Wine install itself, which takes longest, unless it has done so in an earlier run.
func (m *machine) boot(t *testing.T) {
	t.Helper()
	started := time.Now()
	log, err := os.Create(filepath.Join(t.TempDir(), "wineboot.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	ctx, cancel := context.WithTimeout(t.Context(), bootTime)
	defer cancel()
	boot := m.command(ctx, "wineboot", "--init")
	boot.Stdout, boot.Stderr = log, log // not a pipe, which services of Windows would keep open
	if err := boot.Run(); err != nil {
		text, _ := os.ReadFile(log.Name())
		t.Fatalf("wineboot: %v\n%s", err, text)
	}
	t.Logf("Wine is ready after %.0f s", time.Since(started).Seconds())
}

// startServer starts the wineserver. Without it each command would start one, which takes seconds.
func (m *machine) startServer(t *testing.T) {
	t.Helper()
	server := exec.Command(serverProgram, "--foreground", "--persistent")
	server.Env = m.environ
	server.Stdout, server.Stderr = t.Output(), t.Output()
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// It ends all processes of its Windows first.
		ended := make(chan error, 1)
		go func() { ended <- server.Wait() }()
		_ = server.Process.Signal(os.Interrupt) // with SIGTERM they would stay
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			_ = server.Process.Kill()
			t.Errorf("the wineserver did not end when it was interrupted: %v", <-ended)
		}
	})
}

// installPrograms copies the two programs of ecrkit from the archive, or from a directory.
func (m *machine) installPrograms(t *testing.T) {
	t.Helper()
	mkdir(t, m.path(programs))
	for _, program := range []string{"ecrkit.exe", "docker-credential-ecrkit.exe"} {
		data, err := release(program)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(m.path(programs), program), data, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// release returns one of the programs that are tested.
func release(program string) ([]byte, error) {
	if *bin != "" {
		return os.ReadFile(filepath.Join(*bin, program))
	}
	if *archive == "" {
		return nil, errors.New("neither -archive nor -bin names the binaries: run make interop-windows")
	}
	r, err := zip.OpenReader(*archive)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	f, err := r.Open(strings.TrimSuffix(filepath.Base(*archive), ".zip") + "/" + program)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// path returns where a path on drive C: is on this system.
func (m *machine) path(windows string) string {
	rest, ok := strings.CutPrefix(strings.ReplaceAll(windows, `\`, "/"), "C:")
	if !ok {
		panic(windows + " is not on drive C:")
	}
	return filepath.Join(m.dir, rest)
}

// command is a command of Windows.
func (m *machine) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, wineProgram, append([]string{m.program(program)}, args...)...)
	cmd.Env = m.environ
	cmd.WaitDelay = time.Second
	return cmd
}

// program returns the path of a program that is installed, which Wine starts itself. Any other name it leaves to
// a process of its own, which is then the one that signals reach.
func (m *machine) program(name string) string {
	if path := filepath.Join(m.path(programs), name+".exe"); exists(path) {
		return path
	}
	return name
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// A user is someone at the machine, with a directory to work in and environment variables. Wine has one profile
// for all users: only one test uses it.
type user struct {
	*machine
	dir     string // as Windows names it
	environ []string
	stdin   string
}

// profile is the profile of the user.
const profile = `C:\users\dev`

// user returns a user with these environment variables whose cache, state and docker configuration are in the
// directory where the user works.
func (m *machine) user(t *testing.T, environ ...string) *user {
	t.Helper()
	u := &user{machine: m, dir: `C:\work of ` + strings.ReplaceAll(t.Name()[strings.LastIndexByte(t.Name(), '/')+1:], "#", "-")}
	if err := os.RemoveAll(m.path(u.dir)); err != nil { // of an earlier run
		t.Fatal(err)
	}
	mkdir(t, m.path(u.dir))
	u.environ = append([]string{
		"AWS_EC2_METADATA_DISABLED=true",
		"ECRKIT_CACHE_DIR=" + u.dir + `\cache`, "ECRKIT_STATE_DIR=" + u.dir + `\state`, "DOCKER_CONFIG=" + u.dir + `\docker`,
	}, environ...)
	return u
}

// with returns a user with more environment variables.
func (u *user) with(environ ...string) *user {
	other := *u
	other.environ = append(append([]string(nil), u.environ...), environ...)
	return &other
}

// typing returns a user whose next command has this on stdin.
func (u *user) typing(text string) *user {
	other := *u
	other.stdin = text
	return &other
}

func (u *user) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := u.machine.command(ctx, program, args...)
	cmd.Env = append(append([]string(nil), cmd.Env...), u.environ...)
	cmd.Dir = u.path(u.dir)
	cmd.Stdin = strings.NewReader(u.stdin)
	return cmd
}

// execute runs a command and returns what it printed and its exit code.
func (u *user) execute(t *testing.T, program string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	stdout, stderr, code = u.executeOnce(t, program, args...)
	if code == 1 && stdout+stderr == "" {
		// Under load Wine now and then ends a program before it begins. ecrkit itself never fails without a message.
		t.Logf("%s %s: exit code 1 without a word, started again", program, strings.Join(args, " "))
		return u.executeOnce(t, program, args...)
	}
	return stdout, stderr, code
}

func (u *user) executeOnce(t *testing.T, program string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), commandTime)
	defer cancel()
	var out, messages bytes.Buffer
	cmd := u.command(ctx, program, args...)
	cmd.Stdout, cmd.Stderr = &out, &messages
	err := cmd.Run()
	var ended *exec.ExitError
	if err != nil && (!errors.As(err, &ended) || ctx.Err() != nil) {
		t.Fatalf("%s %s: %v\n%s%s", program, strings.Join(args, " "), err, &out, &messages)
	}
	return out.String(), messages.String(), cmd.ProcessState.ExitCode()
}

// run runs a command that must succeed and returns its trimmed standard output.
func (u *user) run(t *testing.T, program string, args ...string) string {
	t.Helper()
	stdout, stderr, code := u.execute(t, program, args...)
	if code != 0 {
		t.Fatalf("%s %s: exit code %d\n%s%s", program, strings.Join(args, " "), code, stdout, stderr)
	}
	return strings.TrimSpace(stdout)
}

// refused runs a command that must end with this exit code and have this text among its messages.
func (u *user) refused(t *testing.T, want int, text, program string, args ...string) {
	t.Helper()
	stdout, stderr, code := u.execute(t, program, args...)
	if code != want || !strings.Contains(stderr, text) {
		t.Errorf("%s %s: exit code %d, want %d and the message %q, got:\n%s%s", program, strings.Join(args, " "), code, want, text, stdout, stderr)
	}
}

// file returns where a file of the user is on this system, by its path below the working directory or its
// whole path.
func (u *user) file(path string) string {
	if !strings.HasPrefix(path, "C:") {
		path = u.dir + `\` + path
	}
	return u.path(path)
}

// write writes a file of the user.
func (u *user) write(t *testing.T, path, text string) {
	t.Helper()
	mkdir(t, filepath.Dir(u.file(path)))
	if err := os.WriteFile(u.file(path), []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// read reads a file of the user.
func (u *user) read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(u.file(path))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func mkdir(t *testing.T, dirs ...string) {
	t.Helper()
	for _, dir := range dirs {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}
