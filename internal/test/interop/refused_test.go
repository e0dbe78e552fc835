//go:build interop

package interop

import (
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// testRefused checks what ECR refuses because of who asks or when: a token and a pre-signed URL of
// yesterday, a wrong key, a clock that is wrong.
func (s *suite) testRefused(t *testing.T) {
	data := t.TempDir()
	w := s.start(t, "--data", data)
	const repository = "refused/app"
	k := s.kind("oci")
	image := w.Addr + "/" + repository + ":" + k.name
	w.createRepository(t, repository)
	w.run(t, "ecrkit", "push", "oci:"+k.layout, image)

	t.Run("wrong secret key", func(t *testing.T) {
		const secret = "not-the-secret-of-this-access-key-id"
		// With the cache of the right key there would be a token for this access key ID.
		wrong := w.with(map[string]string{"AWS_SECRET_ACCESS_KEY": secret, "XDG_CACHE_HOME": t.TempDir()})
		wrong.awsRefused(t, "InvalidSignatureException", "ecr", "describe-repositories")
		for _, line := range [][]string{
			{"sh", "-c", "echo " + w.Addr + " | docker-credential-ecrkit get"},
			{"ecrkit", "push", "oci:" + k.layout, image},
			{"ecrkit", "pull", image, "oci:" + filepath.Join(t.TempDir(), "layout")},
		} {
			wrong.refused(t, "InvalidSignatureException", line[0], line[1:]...)
			stdout, stderr, _ := wrong.execute(t, line[0], line[1:]...)
			if said := stdout + stderr; strings.Contains(said, secret) || strings.Contains(said, "credentials not found") {
				t.Errorf("%s says %q", line, said)
			}
		}
		wrong.refused(t, w.Addr, "crane", "digest", image)
	})

	t.Run("unknown access key", func(t *testing.T) {
		unknown := w.with(map[string]string{"AWS_ACCESS_KEY_ID": "AKIAUNKNOWNUNKNOWN00"})
		unknown.awsRefused(t, "UnrecognizedClientException", "ecr", "describe-repositories")
	})

	t.Run("skewed clock", func(t *testing.T) {
		for skew, want := range map[time.Duration]string{
			-time.Hour: "Signature expired",
			time.Hour:  "Signature not yet current",
		} {
			if got := w.signedAt(t, time.Now().Add(skew)); !strings.Contains(got, "InvalidSignatureException") || !strings.Contains(got, want) {
				t.Errorf("a request signed %s from now is answered with %s, want %q", skew, got, want)
			}
		}
	})

	// The next day: the same data, a clock 13 hours on, and what was handed out today.
	w.writeDockerConfig(t, map[string]any{})
	w.run(t, "sh", "-c", `aws ecr get-login-password --endpoint-url "$AWS_ENDPOINT_URL_ECR" |
		crane auth login --username AWS --password-stdin "$ECRKIT_REGISTRY"`)
	digest := w.run(t, "crane", "digest", image)
	wantDigest(t, "crane says", digest, k.digest)
	layer := layerOf(t, k)
	signed := w.layerURL(t, repository, layer)
	if status, body := w.get(t, signed, signed.Host); status != http.StatusOK {
		t.Fatalf("the pre-signed URL answers %d: %s", status, body)
	}
	config, addr := w.environ["DOCKER_CONFIG"], w.Addr
	w.stop(t)
	tomorrow := s.start(t, "--addr", addr, "--data", data, "--time", "+13h")

	t.Run("token of yesterday", func(t *testing.T) {
		const expired = "Your authorization token has expired. Reauthenticate and try again."
		old := tomorrow.with(map[string]string{"DOCKER_CONFIG": config})
		old.refused(t, expired, "crane", "manifest", image)
		old.refused(t, expired, "skopeo", "inspect", "--tls-verify="+tlsVerify(image), "docker://"+image)
		old.refused(t, "403 Forbidden", "crane", "push", k.layout, image)
		if got := tomorrow.run(t, "crane", "digest", image); got != digest {
			t.Errorf("with a new token crane digest gives %s, want %s", got, digest)
		}
	})

	t.Run("pre-signed URL of yesterday", func(t *testing.T) {
		fresh := tomorrow.layerURL(t, repository, layer)
		if status, body := tomorrow.get(t, fresh, fresh.Host); status != http.StatusOK {
			t.Errorf("a new pre-signed URL answers %d: %s", status, body)
		}
		// Downloads have another port today: ask there, with the host that was signed.
		if status, body := tomorrow.get(t, signed, fresh.Host); status != http.StatusForbidden || !strings.Contains(body, "Request has expired") {
			t.Errorf("the pre-signed URL answers %d: %s", status, body)
		}
	})
}

// signedAt sends DescribeRegistry with a signature of this time and returns the answer's body. The SDK's
// client would correct its clock, so only the SDK's signer is used.
func (w *site) signedAt(t *testing.T, at time.Time) string {
	t.Helper()
	const body, sum = "{}", "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.URL+"/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-amz-json-1.1")
	request.Header.Set("X-Amz-Target", "AmazonEC2ContainerRegistry_V20150921.DescribeRegistry")
	credentials := aws.Credentials{AccessKeyID: w.Env["AWS_ACCESS_KEY_ID"], SecretAccessKey: w.Env["AWS_SECRET_ACCESS_KEY"]}
	if err := v4.NewSigner().SignHTTP(t.Context(), credentials, request, sum, "ecr", w.Env["AWS_REGION"], at); err != nil {
		t.Fatal(err)
	}
	response, err := w.HTTP.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

// layerURL is the pre-signed URL that the aws CLI gets for a layer.
func (w *site) layerURL(t *testing.T, repository, digest string) *url.URL {
	t.Helper()
	var answer struct{ DownloadURL string }
	w.aws(t, &answer, "ecr", "get-download-url-for-layer", "--repository-name", repository, "--layer-digest", digest)
	u, err := url.Parse(answer.DownloadURL)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// layerOf is the digest of the first layer of an example that is an image alone.
func layerOf(t *testing.T, k kind) string {
	t.Helper()
	var m manifest
	readJSON(t, layoutFile(k.layout, k.digest), &m)
	if len(m.Layers) == 0 {
		t.Fatalf("%s has no layers", k.name)
	}
	return m.Layers[0].Digest
}

// get asks the server at addr for a URL. It returns the status and, of an error, the body.
func (w *site) get(t *testing.T, u *url.URL, addr string) (status int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, u.String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	request.URL.Host = addr // request.Host stays that of u
	response, err := w.HTTP.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode == http.StatusOK {
		return response.StatusCode, ""
	}
	return response.StatusCode, string(data)
}
