//go:build trial

package docs_test

import "testing"

// brief makes a function of ecrkit, which starts a server that a page starts in the foreground, with its flags, until it
// is ready, and ends it.
const brief = `
ecrkit() {
	case "$1 ${2:-}" in
	"local " | "local -"* | "proxy " | "proxy -"*)
		rm -f brief.log
		command ecrkit "$@" --addr 127.0.0.1:0 >brief.log 2>&1 &
		brief=$!
		until grep -q 127.0.0.1 brief.log; do kill -0 $brief || { cat brief.log; return 1; }; done
		kill $brief
		wait $brief || :
		cat brief.log
		;;
	*) command ecrkit "$@" ;;
	esac
}
addr=${ECRKIT_REGISTRY}
docker() { cat >/dev/null & echo "docker $1"; }
crane() { echo "crane $1"; }
podman() { echo "podman $1"; }
sudo() { "$@"; }
`

// serverPages are about servers, and what is copied between them.
var serverPages = []page{
	{
		file: "local-ecr.md", blocks: 13, apart: true,
		setUp: brief + `
curl() { command -v curl >/dev/null && command curl -sS "$@" || echo "curl $*"; }
make() { echo "make $1"; }
cp app.tar app-0.9.tar
ecrkit repo create prod
`,
		files: map[string]string{
			"accounts.yaml": "name: publisher", "policies.yaml": "AKIAEXAMPLEADMIN0000", "faults.yaml": "reset_response_after", "quotas.yaml": "UploadLayerPart: {",
			"upstreams.yaml": "registry-1.docker.io: http", "scans.json": `"steps"`,
		},
		with: map[string]string{
			"ecrkit local env":                                          "ecrkit local env --addr $addr",
			"ecrkit local --tls":                                        "ecrkit local --tls --tls-dir tls",
			"ecrkit local env --tls":                                    "ecrkit local env --addr $addr --tls --tls-dir tls",
			"--seed base/alpine:3=docker.io/library/alpine:3":           "--seed base/alpine:3=oci:amd64",
			"ecrkit local --ephemeral --addr 127.0.0.1:0 > local.txt &": "command ecrkit local --ephemeral --addr 127.0.0.1:0 > local.txt &",
			`ecrkit local env --addr "$(sed`:                            `ecrkit local env --addr "$(sed`,
			`ecrkit local env --addr "$(podman port ecr 4510)"`:         "ecrkit local env --addr $addr",
			"aws sts get-caller-identity ":                              "aws sts get-caller-identity; env | grep AWS_ ",
			" | Out-String | Invoke-Expression":                         "",
			"http://127.0.0.1:4510/":                                    "http://$addr/",
			"ecrkit local health --wait 30s":                            "ecrkit local health --addr $addr --wait 30s",
			"oci:dist/image:local":                                      "oci:build",
			"docker-daemon:ecrkit-local":                                "docker-archive:ecrkit-local.tar",
			"registry.example.com/ecrkit-local:1":                       `"$ECRKIT_REGISTRY"/prod:1`,
		},
		then: `
ecrkit local --ephemeral --accounts accounts.yaml --faults faults.yaml --quotas quotas.yaml --upstreams upstreams.yaml --scan-findings scans.json
ecrkit local --ephemeral --accounts policies.yaml
`,
		want: []string{"AWS_WEB_IDENTITY_TOKEN_FILE=", "AWS_CONTAINER_CREDENTIALS_FULL_URI=", "AWS_EC2_METADATA_SERVICE_ENDPOINT=", "crane validate"},
	}, {
		file: "proxy.md", blocks: 5,
		setUp: brief + `
mkdir -p units root
systemctl() { echo "systemctl $1"; }
ecrkit public-key alias/release >release.pub
printf 'version: 1\nkeys:\n  release: {path: release.pub}\nrules:\n  - {scope: "%s/**", keys: [release]}\n' "$ECRKIT_REGISTRY" >policy.yaml
`,
		with: map[string]string{
			"setup podman 123456789012.dkr.ecr.us-east-1.amazonaws.com\n": "setup podman 123456789012.dkr.ecr.us-east-1.amazonaws.com --root root\n",
			"tee /etc/systemd/system/":                                    "tee units/",
		},
		then: "find root units -type f\n",
		want: []string{"root/etc/containers/registries.conf.d/zz-ecrkit-proxy.conf", "units/ecrkit-proxy.socket", "ExecStart="},
	}, {
		file: "mirror.md", blocks: 14,
		setUp: `
ecrkit repo create team/web team/db base web db
ecrkit push oci:build HOST/team/web:1.0 HOST/team/db:v1.0 HOST/team/db:v2.0 HOST/base:3.1 HOST/web:1 HOST/web:1.4 HOST/db:1
ecrkit push amd64.tar HOST/web:1.5
ecrkit generate-key-pair file
mkdir -p .github/workflows deploy
ssh() { shift; "$@"; }
kubectl() { cat >/dev/null; echo "kubectl $1"; }
aws() { cat shard-[1-8].json; }
echo '[]' >used
cp mirror.yaml deploy/
ecrkit public-key alias/release >release.pub
cp "$OLDPWD/internal/minisign/testdata/plain.key" minisign.key
cp "$OLDPWD/internal/minisign/testdata/plain.pub" minisign.pub
`,
		files: map[string]string{"mirror.yaml": "at_least: 1", "referrers.yaml": "application/vnd.cncf.notary.signature", "repositories.yaml": "inherit: source", "prune.yaml": "untagged: true"},
		with: map[string]string{
			"123456789012.dkr.ecr.eu-west-1.amazonaws.com/mirror]": "HOST/mirror]",
			"HOST/PREFIX":                         "HOST/prefix",
			"--to usb/ --have":                    `--to "usb$((n = ${n:-0} + 1))/" --have`, // a set is written into an empty directory
			"january/ week1/ week2/":              "usb/ usb1/",
			"used.json":                           "used",
			"ecrkit mirror report shard-*.json\n": "for i in 3 4 5 6 7 8; do ecrkit mirror apply mirror.yaml --shard $i/8 --output json > shard-$i.json; done\necrkit mirror report shard-*.json\n",
			"ghcr.io/team/":                       "HOST/team/",
			"registry.example.com/":               "HOST/",
		},
		want: []string{"kubectl apply"},
	},
}

// TestTrialPagesOfServers is [TestTrialPages] for others.
func TestTrialPagesOfServers(t *testing.T) { runPages(t, serverPages) }
