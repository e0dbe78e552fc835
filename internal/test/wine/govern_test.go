//go:build interop_windows

package wine

import (
	"strings"
	"testing"

	"github.com/ecrkit/ecrkit/localecr"
)

// testSign signs with a key in a file and with one in KMS.
func testSign(t *testing.T, m *machine) {
	s := m.site(t, localecr.Options{})
	want := s.tag(t, "app", "1.0", 1, 1000)
	image := s.image("app:1.0")
	s = s.with("COSIGN_PASSWORD=secret")
	mkdir(t, s.file(`keys of ours`))
	s.run(t, ecrkit, "generate-key-pair", `keys of ours\release`)
	s.run(t, ecrkit, "sign", image, "--key", `keys of ours\release.key`)
	s.run(t, ecrkit, "sign", image, "--key", "alias/ecrkit-p256")
	s.write(t, "kms.pub", s.run(t, ecrkit, "public-key", "alias/ecrkit-p256")+"\r\n")
	for _, key := range []string{`keys of ours\release.pub`, s.dir + `\keys of ours\release.pub`, `kms.pub`, "alias/ecrkit-p256"} {
		if out := s.run(t, ecrkit, "verify", image, "--key", key); !strings.Contains(out, want) {
			t.Errorf("verify with %s: %s", key, out)
		}
	}
	// As a Windows editor saves it.
	s.write(t, "release.pub", strings.ReplaceAll(s.read(t, `keys of ours\release.pub`), "\n", "\r\n"))
	s.copied(t, want, "pull", image, "oci:out:1", "--verify", "--key", "release.pub", "--referrers")
	s.run(t, ecrkit, "verify", "oci:out:1", "--key", "release.pub")
	s.tag(t, "app", "unsigned", 1, 1000)
	s.refused(t, 4, "", ecrkit, "pull", s.image("app:unsigned"), "oci:refused:1", "--verify", "--key", "kms.pub")
}

// with keeps the site of the user.
func (s *site) with(environ ...string) *site {
	other := *s
	other.user = s.user.with(environ...)
	return &other
}

// testGovern sets and shows what repositories have, with files as Windows editors save them.
func testGovern(t *testing.T, m *machine) {
	s := m.site(t, localecr.Options{})
	s.write(t, "repositories.yaml", "version: 1\r\ndefaults:\r\n  tagMutability: IMMUTABLE\r\nrepositories:\r\n  - name: app\r\n  - name: db\r\n")
	s.run(t, ecrkit, "repo", "apply", "repositories.yaml")
	if ls := s.run(t, ecrkit, "repo", "ls"); !strings.Contains(ls, "app") || !strings.Contains(ls, "db") {
		t.Errorf("repo ls: %s", ls)
	}
	s.tag(t, "app", "1.0", 1, 1000)
	s.write(t, "policy.json", s.run(t, ecrkit, "lifecycle", "new", "--untagged-older-than", "7", "--any-older-than", "90")+"\r\n")
	if out := s.run(t, ecrkit, "lifecycle", "evaluate", "--policy", "policy.json", "--images", s.image("app"), "--at", "+100d"); !strings.Contains(out, "expire  sha256:") {
		t.Errorf("lifecycle evaluate: %s", out)
	}
	s.run(t, ecrkit, "lifecycle", "put", "app", "--policy", "policy.json", "--yes")
	s.run(t, ecrkit, "lifecycle", "get", "app")
	s.run(t, ecrkit, "repo", "audit", "--report", `reports.html`)
	s.write(t, "gate.yaml", "version: 1\r\nblock:\r\n  - severity: CRITICAL\r\n")
	s.run(t, ecrkit, "push", s.dockerArchive(t), s.image("app:2.0"), "--scan-gate", "gate.yaml", "--sign", "alias/ecrkit-p256")
	if report := s.read(t, "reports.html"); !strings.Contains(report, "</html>") {
		t.Error("the report is not complete")
	}
}
