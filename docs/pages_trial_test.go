//go:build trial

package docs_test

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ecrkit/ecrkit/internal/test/binaries"
)

// page is a page of the documentation whose commands are run from top to bottom.
type page struct {
	file   string
	blocks int               // the least number of blocks of commands in it
	setUp  string            // commands before
	files  map[string]string // files that are blocks of the page, by a text that only that block has
	with   map[string]string // what stands for a placeholder, or for what this machine does not have
	apart  bool              // each block is run in a shell of its own
	then   string            // commands after
	want   []string          // in the output
}

var pages = []page{
	{
		file: "signing.md", blocks: 12,
		setUp: `
ecrkit repo create app inside/app
ecrkit push oci:build HOST/app:1.2
ecrkit public-key alias/release >release.pub
ecrkit generate-key-pair file
cp file.key release.key
cp file.pub next.pub
mkdir dist
echo archive >dist/app.tar.gz
sha256sum dist/app.tar.gz >SHA256SUMS
echo '{"spdxVersion":"SPDX-2.3","packages":[{"name":"openssl"}]}' >sbom.spdx.json
echo '{"buildDefinition":{},"runDetails":{}}' >provenance.json
printf 'version: 1\nkeys:\n  release: {path: release.pub}\nrules:\n  - {scope: "%s/**", keys: [release]}\n' "$ECRKIT_REGISTRY" >policy.yaml
`,
		with: map[string]string{
			"@sha256:0123… @sha256:4567…": "@$amd64 @$arm64",
			"sign HOST/app@sha256:0123…":  "sign HOST/app@$amd64",
			"INSIDE/":                     "HOST/inside/",
			"--key alias/security":        "--key file.key",
			"repo create HOST/app ":       "repo create HOST/immutable ",
			"base64 -d SHA256SUMS.sig":    "ecrkit sign-blob SHA256SUMS --key alias/release --output-signature SHA256SUMS.sig; base64 -d SHA256SUMS.sig",
		},
		want: []string{"commit=3f2a91c", `"openssl"`, "cosign verify-blob-attestation", "Verified OK", "signature (bundle), signed by release.pub"},
	}, {
		file: "scanning.md", blocks: 3,
		setUp: `
ecrkit repo create team/app other/app
ecrkit scan policy new >scan-policy.yaml
ecrkit push oci:build HOST/team/app:1.2 --scan-gate scan-policy.yaml
ecrkit copy HOST/team/app:1.2 HOST/other/team/app:1.2 --create-repository
export GITHUB_STEP_SUMMARY="$work/summary.md"
`,
		with: map[string]string{"ghcr.io/": "HOST/other/"},
		want: []string{"passed, findings: none", "Rule:      CRITICAL: 0 found, ok", "linux/arm64: passed"},
	}, {
		file: "managed-signing.md", blocks: 2,
		setUp: "ecrkit repo create prod/app\n",
		with:  map[string]string{"123456789012.dkr.ecr.us-east-1.amazonaws.com/": "HOST/"},
		want:  []string{"prod/*", "COMPLETE"},
	}, {
		file: "transfer.md", blocks: 10,
		setUp: `
ecrkit repo create app team/app other/app
ecrkit push oci:build HOST/team/app:1.2
ecrkit copy oci:s390x oci:build:s390x
ecrkit push oci:build:1.2 HOST/app:1.2.3
ecrkit push oci:amd64 HOST/app:1.2-amd64
ecrkit push oci:arm64 HOST/app:1.2-arm64
ssh() { cat >loaded.tar; }
`,
		with: map[string]string{
			"123456789012.dkr.ecr.us-east-1.amazonaws.com/": "HOST/",
			"ghcr.io/":                              "HOST/",
			"push docker-daemon:app:1.2":            "push app.tar", // interop has a daemon
			" OTHER-HOST/":                          " HOST/other/",
			"repo create HOST/app HOST/db":          "repo create HOST/api HOST/db",
			"--kms-key alias/images":                "--kms-key alias/aws/ecr",
			"index annotate HOST/app:1.2 org":       "index create HOST/app:1.2 HOST/app:1.2-amd64 HOST/app:1.2-arm64 --type oci; ecrkit index annotate HOST/app:1.2 org",
			"rm HOST/app:1.2 HOST/app@sha256:0123…": "rm HOST/app:1.2 HOST/app@$amd64",
			"blob fetch HOST/app@sha256:0123…":      `blob fetch "HOST/app@$layer"`,
		},
		want: []string{"3 entries: linux/amd64, linux/arm64, linux/s390x", `"A=b"`, "removed tag", "hello.txt"},
	}, {
		file: "credential-helper.md", blocks: 1,
		with: map[string]string{"docker pull": "docker-credential-ecrkit list; docker pull"},
		want: []string{"added     123456789012.dkr.ecr.us-east-1.amazonaws.com", "docker pull"},
	},
}

// TestTrialPages runs the commands of the pages, with a local ECR in the place of HOST. docker, cosign and the aws CLI
// are stand-ins, as in [TestTrialReadme].
func TestTrialPages(t *testing.T) { runPages(t, pages) }

// runPages runs the commands of pages.
func runPages(t *testing.T, pages []page) {
	bin := t.TempDir()
	if err := binaries.Build(bin, "cmd/ecrkit", "cmd/docker-credential-ecrkit"); err != nil {
		t.Fatal(err)
	}
	for _, p := range pages {
		t.Run(p.file, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(p.file)
			if err != nil {
				t.Fatal(err)
			}
			page := p.replace(t, string(text))
			commands := p.setUp + commandsOf(t, page, p.blocks, p.apart) + p.then
			commands = regexp.MustCompile(`\bHOST/`).ReplaceAllString(commands, `"$$ECRKIT_REGISTRY"/`)
			out, err := run(t, t.TempDir(), world(t, bin)+filesOf(t, page, p.files)+commands)
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			for _, want := range p.want {
				if !strings.Contains(string(out), want) {
					t.Errorf("the output has no %q:\n%s", want, out)
				}
			}
		})
	}
}

// world returns the commands that start a local ECR and make an image for two platforms in the layout build, as the
// pages expect them. bin has the binaries.
func world(t *testing.T, bin string) string {
	return `
docker() { case $1 in save) cat "$work/amd64.tar" ;; *) echo "docker $1" ;; esac; }
cosign() { echo "cosign $1"; }
aws() {
	echo "aws $2" >&2
	if [ "$2" = describe-image-scan-findings ]; then
		echo '{"repositoryName":"team/app","registryId":"000000000000","imageId":{"imageTag":"1.2","imageDigest":"'$amd64'"},'
		echo '"imageScanStatus":{"status":"COMPLETE"},"imageScanFindings":{"findings":[],"findingSeverityCounts":{}}}'
	fi
}
export PATH="` + bin + `:$PATH" COSIGN_PASSWORD=trial
work=$(mktemp -d)
cd "$work"
ecrkit local --ephemeral --addr ` + freeAddr(t) + ` 2>server.log & server=$!
trap 'kill $server || :' EXIT
until grep -q 127.0.0.1 server.log; do :; done
eval "$(ecrkit local env --addr "$(grep -o '127[0-9.:]*' server.log | head -1)")"
make_image() {
	mkdir "$1.image"
	echo "hello $1" >"$1.image/hello.txt"
	tar -cf "$1.image/layer.tar" -C "$1.image" hello.txt
	layer=sha256:$(sha256sum <"$1.image/layer.tar" | cut -c1-64)
	echo '{"architecture":"'$1'","os":"linux","config":{"Env":["A=b"]},"rootfs":{"type":"layers","diff_ids":["'$layer'"]}}' >"$1.image/config.json"
	echo '[{"Config":"config.json","RepoTags":["app:1"],"Layers":["layer.tar"]}]' >"$1.image/manifest.json"
	tar -cf "$1.tar" -C "$1.image" manifest.json config.json layer.tar
	ecrkit copy "$1.tar" "oci:$1"
}
make_image s390x
make_image arm64
make_image amd64
cp amd64.tar app.tar
amd64=$(ecrkit digest oci:amd64)
arm64=$(ecrkit digest oci:arm64)
layer=$(ecrkit inspect oci:amd64 --raw | grep -o 'sha256:[0-9a-f]*' | tail -1)
ecrkit index create oci:build oci:amd64 oci:arm64
ecrkit copy oci:build oci:build:1.2
`
}

// replace returns the text of a page with what stands for its placeholders; the longest ones come first.
func (p page) replace(t *testing.T, text string) string {
	t.Helper()
	var pairs []string
	byLength := func(a, b string) int { return len(b) - len(a) }
	for _, old := range slices.SortedFunc(maps.Keys(p.with), byLength) {
		if !strings.Contains(text, old) {
			t.Errorf("the page has no %q", old)
		}
		pairs = append(pairs, old, p.with[old])
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// filesOf returns the commands that write files, each of which is the one block of a page that has a text.
func filesOf(t *testing.T, page string, files map[string]string) string {
	t.Helper()
	var script strings.Builder
	blocks := regexp.MustCompile("(?ms)^```(?:yaml|json|toml)\n(.*?)^```").FindAllStringSubmatch(page, -1)
	for name, has := range files {
		var found []string
		for _, block := range blocks {
			if strings.Contains(block[1], has) {
				found = append(found, block[1])
			}
		}
		if len(found) != 1 {
			t.Fatalf("%d blocks have %q", len(found), has)
		}
		fmt.Fprintf(&script, "sed \"s,HOST,$ECRKIT_REGISTRY,g\" >%s <<'END_OF_BLOCK'\n%sEND_OF_BLOCK\n", name, found[0])
	}
	return script.String()
}
