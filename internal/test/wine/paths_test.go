//go:build interop_windows

package wine

import (
	"os"
	"testing"

	"github.com/ecrkit/ecrkit/localecr"
)

// testPaths names files and directories as people do on Windows.
func testPaths(t *testing.T, m *machine) {
	s := m.site(t, localecr.Options{})
	want := s.tag(t, "app", "1.0", 1, 1000)
	image := s.image("app:1.0")
	if err := os.RemoveAll(s.path(`C:\our images`)); err != nil { // of an earlier run
		t.Fatal(err)
	}
	mkdir(t, s.path(`C:\our images`))
	for _, place := range []string{
		`oci:C:\our images\back:1`, `oci:C:/our images/forward:1`, `oci:c:\our images\small:1`, `oci:.\here:1`, `oci:sub\below:1`,
		`oci:\our images\rooted:1`, `oci:\\?\C:\our images\verbatim:1`, `oci:C:\our images\at@home:1`,
		`oci-archive:C:\our images\a.tar:1`, `oci-archive:C:/our images/b.tar:1`, `oci-archive:C:\our images\no tag.tar`,
		`docker-archive:C:\our images\c.tar:app:1`, `docker-archive:C:/our images/d.tar:localhost:5000/app:1`,
	} {
		s.copied(t, want, "pull", image, place)
		s.copied(t, want, "push", place, s.image("back:1.0"), "--create-repository")
	}
	for _, place := range []string{
		`C:\our images\back:1`, `C:/our images/forward:1`, `.\here:1`, `sub/below`, `C:\our images\a.tar:1`,
		`C:/our images/b.tar`, `C:\our images\c.tar`, `C:/our images/d.tar`,
	} {
		s.copied(t, want, "push", place, s.image("back:1.0"))
		s.run(t, ecrkit, "inspect", place)
	}
	for _, name := range []string{`back`, `forward`, `small`, `rooted`, `verbatim`, `at@home`, `a.tar`, `b.tar`, `c.tar`, `d.tar`} {
		if _, err := os.Stat(s.path(`C:\our images\` + name)); err != nil {
			t.Error(err)
		}
	}
	entries, err := os.ReadDir(s.path(`C:\our images`))
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 11 {
		t.Errorf("other files are beside the images: %v", entries)
	}

	// Names that mean a device, a stream of a file, or another file than they say.
	for place, text := range map[string]string{
		`oci:NUL:1`:                          `NUL is a device`,
		`oci-archive:nul.tar:1`:              `nul.tar is a device`,
		`oci-archive:CON:1`:                  `CON is a device`,
		`docker-archive:C:\x\com1.tar:app:1`: `com1.tar is a device`,
		`oci:C:\x\aux\y:1`:                   `aux is a device`,
		`oci-archive:out.tar:stream.tar:1`:   `a colon`,
		`oci-archive:C:\x\out.tar:s.tar:1`:   `a colon`,
		`oci:C:below\here:1`:                 `a colon`,
		`oci:trailing.:1`:                    `ends with a`,
		`oci:C:\x\trailing \y:1`:             `ends with a`,
		`oci:a?b*c:1`:                        `cannot have`,
		`oci-archive:a"b.tar`:                `cannot have`,
	} {
		s.refused(t, 2, text, ecrkit, "pull", image, place)
	}

	// So do the files that flags name; only the null device is taken.
	flags := map[string][]string{
		"digest-file": {"push", `C:\our images\back:1`, image, "--digest-file"},
		"to":          {"blob", "fetch", `oci:C:\our images\back@` + want, "--to"},
		"export":      {"mirror", "export", s.image("app"), "--to"},
		"key":         {"generate-key-pair"},
		"audit":       {"local", "--ephemeral", "--addr", "127.0.0.1:0", "--audit"},
	}
	for flag, command := range flags {
		for name, text := range map[string]string{
			`sub\x:s`: `a colon`, `C:x`: `a colon`, `aux.json`: `aux.json is a device`, `C:\w\com³.x`: `is a device`, `trail \x`: `ends with a`, `a?b`: `cannot have`,
		} {
			if flag != "key" || name != `aux.json` {
				s.refused(t, 2, text, ecrkit, append(command, name)...)
			}
		}
	}
	s.run(t, ecrkit, append(flags["digest-file"], "NUL")...)
	s.refused(t, 1, `\\server\share`, ecrkit, "pull", image, `oci:\\server\share\out:1`)
}
