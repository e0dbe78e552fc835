//go:build trial

package docs_test

import "testing"

// governPages are about policies and settings.
var governPages = []page{
	{
		file: "signing-policy.md", blocks: 1,
		setUp: `
mkdir keys
ecrkit public-key alias/release >keys/release.pub
cp keys/release.pub release.pub
ecrkit generate-key-pair file
cp file.pub keys/security.pub
`,
		files: map[string]string{"page.yaml": "default: reject", "one.json": `"repositoryName"`},
		with: map[string]string{
			"123456789012.dkr.ecr.us-east-1.amazonaws.com/":                               "HOST/",
			"123456789012.dkr.ecr.*.amazonaws.com/":                                       "HOST/",
			"arn:aws:kms:us-east-1:111122223333:alias/release":                            "alias/release",
			"1658598413231f6f724747d0ff42f87a3d2bd3f3fc10be28e444efe6ea93d279":            "FINGERPRINT",
			"arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab": "alias/ecrkit-p384",
			"openssl pkey": "fingerprint=$(ecrkit public-key alias/release --output json | grep -o '[0-9a-f]\\{64\\}'); openssl pkey",
			"sha256sum\n":  "sha256sum | grep $fingerprint\n",
		},
		then: `
sed s/FINGERPRINT/$fingerprint/ page.yaml >policy.yaml
ecrkit repo create app prod/app legacy/app my-repo
ecrkit push oci:build HOST/app:1 --policy policy.yaml
ecrkit pull HOST/app:1 oci:pulled --policy policy.yaml
ecrkit push oci:build HOST/prod/app:1 --no-policy
ecrkit pull HOST/prod/app:1 oci:refused --policy policy.yaml && exit 1 || [ $? -eq 4 ]
ecrkit sign HOST/prod/app:1 --key alias/release --recursive -a env=prod
ecrkit sign HOST/prod/app:1 --key file.key --recursive -a env=prod
echo '{"buildDefinition":{},"runDetails":{}}' >provenance.json
for digest in $(ecrkit digest HOST/prod/app:1) $amd64 $arm64; do
	ecrkit attest HOST/prod/app@$digest --key alias/release --type slsaprovenance1 --predicate provenance.json
done
ecrkit pull HOST/prod/app:1 oci:prod --policy policy.yaml
ecrkit push oci:build HOST/legacy/app:1 --no-policy
ecrkit pull HOST/legacy/app:1 oci:legacy --policy policy.yaml
ecrkit push oci:build HOST/my-repo:1 --policy one.json
ecrkit pull HOST/my-repo:1 oci:mine --policy one.json
`,
		want: []string{"warning:", "it is not signed"},
	}, {
		file: "repositories.md", blocks: 4,
		setUp: `
ecrkit repo create team/legacy prod/app
printf '{"rules":[{"rulePriority":1,"selection":{"tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":7},"action":{"type":"expire"}}]}' >lifecycle.json
echo '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"ecr:ReplicateImage","Resource":"*"}]}' >registry-policy.json
command -v jq || jq() { cat; }
`,
		files: map[string]string{"replication.yaml": "filter: prod/", "repositories.yaml": "accountSettings:"},
		with: map[string]string{
			"123456789012.dkr.ecr.us-east-1.amazonaws.com   # or": "HOST # or",
			"kmsKey: alias/images":                                "kmsKey: alias/aws/ecr",
			"--kms-key alias/images":                              "--kms-key alias/aws/ecr",
			"--report audit.html\n":                               "--report audit.html || [ $? -eq 5 ]\n",
			"upstream: registry-1.docker.io\n    credentialArn: arn:aws:secretsmanager:us-east-1:123456789012:secret:ecr-pullthroughcache/hub-a1b2c3": "upstream: public.ecr.aws",
			`      - {region: eu-west-1, registryId: "222222222222"}` + "\n":                                                                          "", // this server has one account
			"--fail-on-drift --output json\n": "--fail-on-drift --output json && exit 1 || [ $? -eq 5 ]\n",
		},
		then: `
ecrkit repo apply repositories.yaml --yes
ecrkit repo apply repositories.yaml --dry-run --fail-on-drift
`,
		want: []string{"COMPLETE", "no changes", "<KEY>=<VALUE>"},
	}, {
		file: "lifecycle.md", blocks: 4,
		setUp: `
ecrkit repo create app db
ecrkit push oci:build HOST/app:prod-41 HOST/app:v1.2
ecrkit push s390x.tar HOST/app:old
ecrkit push arm64.tar HOST/db:old
command -v jq || jq() { cat >/dev/null; echo "imageDigest=$index"; }
ecrkit lifecycle new --untagged-older-than 30 >before.json
ecrkit lifecycle put HOST/app --policy before.json --yes
index=$(ecrkit digest HOST/app:prod-41)
one=$(ecrkit digest HOST/app:old)
manifest=$(ecrkit inspect HOST/app@$index --raw | sed 's/"/\\"/g' | awk '{ printf "%s%s", newline, $0; newline = "\\n" }')
cat >was.json <<'END'
{"registryId":"000000000000","repositoryName":"app","lifecyclePolicyText":"{\"rules\":[{\"rulePriority\":1,\"selection\":{\"tagStatus\":\"untagged\",\"countType\":\"imageCountMoreThan\",\"countNumber\":5},\"action\":{\"type\":\"expire\"}}]}"}
END
cat >aws <<END
case \$2 in
describe-images) echo '{"imageDetails":[
	{"registryId":"000000000000","repositoryName":"app","imageDigest":"$index","imageTags":["prod-41","v1.2"],"imageSizeInBytes":900,"imagePushedAt":"2026-01-01T00:00:00Z","imageManifestMediaType":"application/vnd.oci.image.index.v1+json"},
	{"registryId":"000000000000","repositoryName":"app","imageDigest":"$one","imageTags":["old"],"imageSizeInBytes":300,"imagePushedAt":"2026-01-01T00:00:00Z","imageManifestMediaType":"application/vnd.docker.distribution.manifest.v2+json"}]}' ;;
batch-get-image) cat <<'IMAGE'
{"images":[{"registryId":"000000000000","repositoryName":"app","imageId":{"imageDigest":"$index"},"imageManifest":"$manifest","imageManifestMediaType":"application/vnd.oci.image.index.v1+json"}],"failures":[]}
IMAGE
	;;
get-lifecycle-policy) cat was.json ;;
get-lifecycle-policy-preview) echo '{"registryId":"000000000000","repositoryName":"app","lifecyclePolicyText":"{}","status":"COMPLETE","previewResults":[{"imageTags":["old"],"imageDigest":"$one","action":{"type":"EXPIRE"},"appliedRulePriority":4}],"summary":{"expiringImageTotalCount":1}}' ;;
*) echo "aws \$2" >&2 ;;
esac
END
chmod +x aws
unset -f aws
PATH=$PWD:$PATH
aws ecr batch-get-image >manifests.json
`,
		with: map[string]string{
			"--policy policy.json --max-expire 10%": "--policy policy.json --max-expire 100% --yes",
			"lifecycle rm HOST/app\n":               "lifecycle rm HOST/app --yes\n",
		},
		want: []string{"old   pushed", "policy put on"},
	}, {
		file: "ci.md", blocks: 1,
		setUp: "ecrkit repo create app\nREGISTRY=$ECRKIT_REGISTRY\n",
		then:  "cat digest.txt metadata.json\n",
		want:  []string{`"containerimage.digest"`, `"image.name"`},
	}, {
		file: "troubleshooting.md", blocks: 1,
		setUp: "ecrkit repo create apps\n",
		with:  map[string]string{"123456789012.dkr.ecr.us-east-1.amazonaws.com/app:1.2\n": "HOST/app:1.2 || [ $? -eq 1 ]\n"},
		want: []string{
			"FAILED   repository    repository app does not exist in 000000000000/us-east-1", "- Did you mean apps?", "skipped  pull          not checked: repository failed",
			"- Create it with `ecrkit repo create",
		},
	},
}

// TestTrialPagesOfGovernance is [TestTrialPages] for others.
func TestTrialPagesOfGovernance(t *testing.T) { runPages(t, governPages) }
