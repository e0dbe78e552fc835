package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/unicode"
)

// Text files may be as PowerShell 5 and editors of Windows write them.
func TestTextFiles(t *testing.T) {
	t.Parallel()
	texts := map[string]string{
		"policy.json":   `{"rules": [{"rulePriority": 1, "selection": {"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 1}, "action": {"type": "expire"}}]}`,
		"gate.yaml":     "version: 1\nblock:\n  - severity: CRITICAL\n",
		"findings.json": `{"imageScanStatus": {"status": "COMPLETE"}, "imageScanFindings": {"findings": [], "findingSeverityCounts": {}}, "repositoryName": "app", "registryId": "000000000000", "imageId": {"imageDigest": "sha256:` + strings.Repeat("a", 64) + `"}}`,
		"release.pub": `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE4CPF/EcemEIF7cdDd7Zvv3sAoply
WqjvoAQ+cmTAPvTaNKKvtfJCne1U7xcGgcWwCUpTl/15ml+iD/fN8tFo7w==
-----END PUBLIC KEY-----
`,
	}
	encodings := map[string]encoding.Encoding{
		"UTF-8":              encoding.Nop,
		"UTF-8 with a mark":  unicode.UTF8BOM,
		"UTF-16":             unicode.UTF16(unicode.LittleEndian, unicode.UseBOM),
		"UTF-16, big endian": unicode.UTF16(unicode.BigEndian, unicode.UseBOM),
	}
	for name, as := range encodings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for file, text := range texts {
				data, err := as.NewEncoder().Bytes([]byte(strings.ReplaceAll(text, "\n", "\r\n")))
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, file), data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			env := func(key string) (string, bool) { return dir, key == "HOME" }
			for _, command := range []string{
				"lifecycle lint {}policy.json",
				"scan gate --findings {}findings.json --policy {}gate.yaml",
				"public-key {}release.pub",
			} {
				var out bytes.Buffer
				args := strings.Fields(strings.ReplaceAll(command, "{}", dir+string(filepath.Separator)))
				if code := Main(t.Context(), args, nil, &out, &out, env); code != exitDone {
					t.Errorf("%s: exit code %d: %s", command, code, out.String())
				}
			}
		})
	}
}
