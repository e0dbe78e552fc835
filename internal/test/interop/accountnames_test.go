//go:build interop

package interop

import (
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ecrkit/ecrkit/localecr"
)

// farAccount is an account beside the default one, and its registry.
const (
	farAccount = "222222222222"
	farKey     = "AKIAEXAMPLEFAR000000"
	farSecret  = "not-a-secret"
)

// testAccountNames pushes and pulls with docker and podman by the host names of registries of other accounts and regions. The
// engines find the names in /etc/hosts, which is enough for them; see docs/local-ecr.md.
func (s *suite) testAccountNames(t *testing.T) {
	user := localecr.DefaultAccounts()[0].Users[0]
	accounts := filepath.Join(t.TempDir(), "accounts.yaml")
	writeFile(t, accounts, []byte(`
- id: "000000000000"
  users: [{name: ecrkit, access_key_id: `+user.AccessKeyID+`, secret_access_key: `+user.SecretAccessKey+`}]
- id: "`+farAccount+`"
  users: [{name: dev, access_key_id: `+farKey+`, secret_access_key: `+farSecret+`}]
`))
	near := s.start(t, "--addr", "127.0.0.1:0", "--ephemeral", "--accounts", accounts)
	_, port, err := net.SplitHostPort(near.Addr)
	if err != nil {
		t.Fatal(err)
	}
	var hosts, registries []string
	helpers := map[string]string{}
	for _, registry := range []string{"000000000000.dkr.ecr." + farRegion, farAccount + ".dkr.ecr.us-east-1"} {
		hosts = append(hosts, registry+".localhost")
		registries = append(registries, registry+".localhost:"+port)
		helpers[registry+".localhost:"+port] = "ecrkit"
	}
	near.writeDockerConfig(t, map[string]any{"credHelpers": helpers})
	file := filepath.Join(t.TempDir(), "hosts")
	writeFile(t, file, []byte("127.0.0.1 localhost "+strings.Join(hosts, " ")+"\n"))
	inNamespace := []string{"unshare", "--mount", "sh", "-c", "mount --bind " + file + " /etc/hosts && exec \"$0\" \"$@\""}
	near = near.with(map[string]string{"DOCKER_HOST": startDocker(t, inNamespace...)})

	storage := podmanStorage(t)
	podman := func(args ...string) []string {
		return slices.Concat(inNamespace, podmanIn(storage), args)
	}
	k := s.kind("oci")
	for i, registry := range registries {
		t.Run(hosts[i], func(t *testing.T) {
			w := near
			args := []string{"--region", farRegion}
			if i == 1 {
				w, args = near.with(map[string]string{"AWS_ACCESS_KEY_ID": farKey, "AWS_SECRET_ACCESS_KEY": farSecret}), nil
			}
			w.aws(t, nil, "ecr", append(args, "create-repository", "--repository-name", "app")...)
			image := registry + "/app"
			wantDigest(t, "ecrkit says", w.result(t, "push", "oci:"+k.layout, image+":1"), k.digest)

			w.run(t, "docker", "pull", image+":1")
			wantDigest(t, "docker pulls", repoDigest(t, w, image+":1"), k.digest)
			w.run(t, "docker", "tag", image+":1", image+":docker")
			w.run(t, "docker", "push", image+":docker")

			w.runLine(t, podman("pull", "--tls-verify=false", image+":1"))
			w.runLine(t, podman("push", "--tls-verify=false", image+":1", image+":podman"))

			var tags []string
			w.aws(t, &tags, "ecr", append(args, "list-images", "--repository-name", "app", "--query", "sort(imageIds[?imageTag].imageTag)")...)
			if got := strings.Join(tags, " "); got != "1 docker podman" {
				t.Errorf("%s has the tags %q", image, got)
			}
		})
	}
}

// testEndpointURL has AWS_ENDPOINT_URL alone lead the aws CLI and ecrkit to the local ECR, for all its services.
func (s *suite) testEndpointURL(t *testing.T) {
	w := s.start(t, "--ephemeral")
	variables := map[string]string{"AWS_ENDPOINT_URL": w.Env["AWS_ENDPOINT_URL_ECR"]}
	for _, service := range []string{"ECR", "KMS", "STS"} {
		variables["AWS_ENDPOINT_URL_"+service] = ""
	}
	w = w.with(variables)

	if w.awsReadsEndpoints(t) {
		w.run(t, "aws", "ecr", "create-repository", "--repository-name", "app")
		w.run(t, "aws", "kms", "describe-key", "--key-id", "alias/release")
		if arn := w.run(t, "aws", "sts", "get-caller-identity", "--query", "Arn", "--output", "text"); arn != "arn:aws:iam::000000000000:user/ecrkit" {
			t.Errorf("aws sts get-caller-identity: %s", arn)
		}
	} else {
		t.Log("this aws CLI ignores AWS_ENDPOINT_URL")
		w.createRepository(t, "app")
	}
	if got := w.run(t, "ecrkit", "repo", "ls"); !strings.Contains(got, "app") {
		t.Errorf("ecrkit repo ls: %q", got)
	}
	k := s.kind("oci")
	image := w.Addr + "/app:1"
	wantDigest(t, "ecrkit says", w.result(t, "push", "oci:"+k.layout, image, "--sign", "awskms:///alias/release"), k.digest)
	w.run(t, "ecrkit", "verify", image, "--key", "awskms:///alias/release")
}

// awsReadsEndpoints reports whether the aws CLI reads endpoints from the environment, as versions since 2.13 do. Others would
// leave this machine.
func (w *site) awsReadsEndpoints(t *testing.T) bool {
	t.Helper()
	const nowhere = "http://127.0.0.1:9"
	lost := w.with(map[string]string{"AWS_ENDPOINT_URL": nowhere, "AWS_ENDPOINT_URL_STS": "", "HTTPS_PROXY": nowhere, "AWS_MAX_ATTEMPTS": "1",
		"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE000000000", "AWS_SECRET_ACCESS_KEY": "not-a-secret"})
	_, stderr, _ := lost.execute(t, "aws", "sts", "get-caller-identity")
	return strings.Contains(stderr, "endpoint URL: \""+nowhere)
}
