//go:build trial && linux

package transfertrial

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ecrkit/ecrkit/localecr"
)

// disk is a file system of its own, in a namespace that ends with the test.
type disk struct {
	t    *testing.T
	dir  string // as this process sees it
	tell func(line string)
}

// newDisk mounts a file system of so many bytes. Without root, the namespace is that of a user.
func newDisk(t *testing.T, size int64) *disk {
	t.Helper()
	mount := t.TempDir()
	script := fmt.Sprintf("mount -t tmpfs -o size=%d tmpfs %s && echo ready && while read -r line; do eval \"$line\" && echo done; done", size, mount)
	arguments := []string{"--mount", "sh", "-c", script}
	if os.Geteuid() != 0 {
		arguments = append([]string{"--user", "--map-root-user"}, arguments...)
	}
	cmd := exec.Command("unshare", arguments...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	check(t, err)
	out, err := cmd.StdoutPipe()
	check(t, err)
	check(t, cmd.Start())
	t.Cleanup(func() {
		check(t, in.Close())
		_ = cmd.Wait() // the result of its last line
	})
	answers := bufio.NewScanner(out)
	wait := func(want string) {
		t.Helper()
		if !answers.Scan() || answers.Text() != want {
			t.Fatalf("unshare and mount answered %q", answers.Text())
		}
	}
	wait("ready")
	return &disk{t: t, dir: fmt.Sprintf("/proc/%d/root%s", cmd.Process.Pid, mount), tell: func(line string) {
		t.Helper()
		_, err := fmt.Fprintln(in, line)
		check(t, err)
		wait("done")
	}}
}

// fill leaves so many bytes free.
func (d *disk) fill(free int64) string {
	path := filepath.Join(d.dir, "filler")
	f, err := os.Create(path)
	check(d.t, err)
	defer f.Close()
	buffer := make([]byte, 64*kib)
	for err == nil {
		_, err = f.Write(buffer)
	}
	info, err := f.Stat()
	check(d.t, err)
	check(d.t, f.Truncate(max(0, info.Size()-free)))
	return path
}

// TestTrialMirrorDisk exports to a disk that has no room, and to one that becomes full in the middle.
func TestTrialMirrorDisk(t *testing.T) {
	t.Parallel()
	const size = 24 * mib
	s := start(t, localecr.Options{})
	m := makeImage(t, random, size)
	s.run("push", "-q", "oci:"+m.dir, s.image("app", "x"))
	for _, form := range []string{"set", "set.tar"} {
		t.Run(form, func(t *testing.T) {
			d := newDisk(t, size+2*mib)
			to := filepath.Join(d.dir, form)
			export := []string{"mirror", "export", s.image("app", "x"), "--to", to, "--quiet"}
			filler := d.fill(10 * mib)
			s.fails("the disk is full: the set needs", export...)
			if left, err := os.ReadDir(d.dir); err != nil || len(left) > 2 {
				t.Errorf("left behind: %v, %v", left, err)
			}
			check(t, os.Remove(filler))
			// It becomes full while the layer arrives.
			cmd := s.command(export...)
			output := newOutput(cmd)
			s.startAfter(cmd, 8*mib, func() { d.fill(0) })
			if err := cmd.Wait(); err == nil || !strings.Contains(output.String(), "the disk is full") || !strings.Contains(output.String(), "free space there") {
				t.Errorf("a disk that became full: %v\n%s", err, output)
			}
			s.meter.wait()
			s.fails("", "mirror", "verify", to)
			check(t, os.Remove(filler))
			before := s.meter.down.Load()
			s.run(export...)
			s.run("mirror", "verify", to)
			t.Logf("after the full disk %.1f of %d MiB were read again", float64(s.meter.down.Load()-before)/mib, size/mib)
		})
	}
}

// TestTrialMirrorMedia reads sets from a medium that cannot be written, that is cut off, and that goes away.
func TestTrialMirrorMedia(t *testing.T) {
	t.Parallel()
	s := start(t, localecr.Options{})
	m := makeImage(t, random, 24*mib, 2*mib)
	s.run("push", "-q", "oci:"+m.dir, s.image("app", "x"))
	d := newDisk(t, 64*mib)
	set, file := filepath.Join(d.dir, "set"), filepath.Join(d.dir, "set.tar")
	s.run("mirror", "export", s.image("app", "x"), "--to", set, "--part-size", "10MiB", "--quiet")
	s.run("mirror", "export", s.image("app", "x"), "--to", file, "--quiet")
	mount := d.dir[strings.Index(d.dir, "/root/")+len("/root"):]
	d.tell("mount -o remount,ro " + mount)
	for i, path := range []string{set, file} {
		prefix := fmt.Sprintf("%s/ro%d", s.registry, i)
		receipt := filepath.Join(s.home, fmt.Sprintf("receipt%d.json", i))
		s.run("mirror", "verify", path)
		s.run("mirror", "ls", path)
		s.fails("read-only file system", "mirror", "import", path, prefix, "--quiet", "--receipt", filepath.Join(d.dir, "receipt.json"))
		s.run("mirror", "import", path, prefix, "--quiet", "--receipt", receipt)
		if info, err := os.Stat(receipt); err != nil || info.Size() == 0 {
			t.Errorf("receipt: %v", err)
		}
		s.run("pull", "-q", prefix+"/app:x", "oci:"+filepath.Join(t.TempDir(), "dst"))
	}
	d.tell("mount -o remount,rw " + mount)
	// A part ends early while it is read, as when the stick is pulled out: nothing gets a tag.
	for i, path := range []string{filepath.Join(set, "images.tar.002"), file} {
		from := []string{set, file}[i]
		data, err := os.ReadFile(path)
		check(t, err)
		cmd := s.command("mirror", "import", from, fmt.Sprintf("%s/cut%d", s.registry, i), "--quiet")
		output := newOutput(cmd)
		s.startAfter(cmd, mib, func() { check(t, os.Truncate(path, int64(len(data))/3)) })
		if err := cmd.Wait(); err == nil {
			t.Errorf("%s was cut off: %s", path, output)
		}
		s.meter.wait()
		s.fails("", "inspect", fmt.Sprintf("%s/cut%d/app:x", s.registry, i))
		// Before the first write, a short part is named.
		before := s.meter.up.Load()
		s.fails("it has", "mirror", "import", from, fmt.Sprintf("%s/cut%d", s.registry, i), "--quiet")
		s.fails("", "mirror", "verify", from)
		if sent := s.meter.up.Load() - before; sent > 0 {
			t.Errorf("%d bytes were sent from a short set", sent)
		}
		check(t, os.WriteFile(path, data, 0o666))
		s.run("mirror", "import", from, fmt.Sprintf("%s/cut%d", s.registry, i), "--quiet")
	}
	s.nothingLeft()
}
