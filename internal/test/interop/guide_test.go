//go:build interop

package interop

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// An imageID is ECR's ImageIdentifier.
type imageID struct{ ImageDigest, ImageTag string }

// testGuide runs the aws CLI commands of the Amazon ECR User Guide in its order: getting started,
// authentication, images, retagging, tag mutability, tagging a repository, policies, clean-up.
func (s *suite) testGuide(t *testing.T) {
	w := s.start(t, "--ephemeral")
	// The guide's user has no credential helper: docker login keeps the password.
	w.writeDockerConfig(t, map[string]any{})
	w = w.with(map[string]string{"DOCKER_HOST": startDocker(t)})
	const repository = "hello-world"
	image := w.Addr + "/" + repository

	t.Run("create and describe repositories", func(t *testing.T) {
		type repo struct {
			RepositoryArn, RegistryID, RepositoryName, RepositoryURI, ImageTagMutability string
			ImageScanningConfiguration                                                   struct{ ScanOnPush bool }
		}
		var created struct{ Repository repo }
		w.aws(t, &created, "ecr", "create-repository", "--repository-name", repository,
			"--image-scanning-configuration", "scanOnPush=true", "--region", "us-east-1")
		want := repo{
			RepositoryArn:      "arn:aws:ecr:us-east-1:000000000000:repository/" + repository,
			RegistryID:         "000000000000",
			RepositoryName:     repository,
			RepositoryURI:      image,
			ImageTagMutability: "MUTABLE",
		}
		want.ImageScanningConfiguration.ScanOnPush = true
		if created.Repository != want {
			t.Errorf("created %+v, want %+v", created.Repository, want)
		}
		var described struct{ Repositories []repo }
		w.aws(t, &described, "ecr", "describe-repositories")
		if !slices.Equal(described.Repositories, []repo{want}) {
			t.Errorf("described %+v, want %+v", described.Repositories, want)
		}
		w.awsRefused(t, "RepositoryAlreadyExistsException", "ecr", "create-repository", "--repository-name", repository)
		w.awsRefused(t, "RepositoryNotFoundException", "ecr", "describe-repositories", "--repository-names", "missing")
	})

	t.Run("docker login and push", func(t *testing.T) {
		s.buildImage(t, w, image+":latest", "hello")
		w.refused(t, "no basic auth credentials", "docker", "push", image+":latest")
		out := w.run(t, "sh", "-c", `eval "$(ecrkit local env --addr "$ECRKIT_REGISTRY"`+s.envFlags()+`)"
			aws ecr get-login-password --region us-east-1 --endpoint-url "$AWS_ENDPOINT_URL_ECR" |
			docker login --username AWS --password-stdin "$ECRKIT_REGISTRY"`)
		if !strings.Contains(out, "Login Succeeded") {
			t.Errorf("docker login says %q", out)
		}
		w.run(t, "docker", "push", image+":latest")
	})

	t.Run("get-authorization-token", func(t *testing.T) {
		asked := time.Now()
		var answer struct {
			AuthorizationData []struct {
				AuthorizationToken, ProxyEndpoint string
				ExpiresAt                         time.Time
			}
		}
		w.aws(t, &answer, "ecr", "get-authorization-token")
		if len(answer.AuthorizationData) != 1 {
			t.Fatalf("%d tokens, want 1", len(answer.AuthorizationData))
		}
		token := answer.AuthorizationData[0]
		if token.ProxyEndpoint != w.URL {
			t.Errorf("proxyEndpoint is %s, want %s", token.ProxyEndpoint, w.URL)
		}
		if life := token.ExpiresAt.Sub(asked); life < 12*time.Hour-time.Second || life > 12*time.Hour+commandTime {
			t.Errorf("the token expires after %s, want 12 h", life)
		}
		// The guide's curl -i -H "Authorization: Basic $TOKEN" …/v2/NAME/tags/list.
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.URL+"/v2/"+repository+"/tags/list", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Basic "+token.AuthorizationToken)
		response, err := w.HTTP.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		var list struct {
			Name string
			Tags []string
		}
		if err := json.Unmarshal(body, &list); err != nil || list.Name != repository || !slices.Equal(list.Tags, []string{"latest"}) {
			t.Errorf("tags/list answers %s %s", response.Status, body)
		}
	})

	digest := repoDigest(t, w, image+":latest")
	t.Run("list and describe images", func(t *testing.T) {
		var list struct{ ImageIDs []imageID }
		w.aws(t, &list, "ecr", "list-images", "--repository-name", repository)
		if want := []imageID{{digest, "latest"}}; !slices.Equal(list.ImageIDs, want) {
			t.Errorf("list-images gives %v, want %v", list.ImageIDs, want)
		}
		var described struct {
			ImageDetails []struct {
				ImageDigest, ImageManifestMediaType string
				ImageTags                           []string
				ImageSizeInBytes                    int64
				ImagePushedAt                       time.Time
			}
		}
		w.aws(t, &described, "ecr", "describe-images", "--repository-name", repository)
		if len(described.ImageDetails) != 1 {
			t.Fatalf("describe-images gives %d images, want 1", len(described.ImageDetails))
		}
		got := described.ImageDetails[0]
		if got.ImageDigest != digest || !slices.Equal(got.ImageTags, []string{"latest"}) || got.ImageSizeInBytes == 0 || got.ImagePushedAt.IsZero() ||
			got.ImageManifestMediaType != "application/vnd.docker.distribution.manifest.v2+json" {
			t.Errorf("describe-images gives %+v, want digest %s", got, digest)
		}
		w.awsRefused(t, "ImageNotFoundException", "ecr", "describe-images", "--repository-name", repository, "--image-ids", "imageTag=missing")
	})

	t.Run("retag", func(t *testing.T) {
		const retag = `MANIFEST=$(aws ecr batch-get-image --endpoint-url "$AWS_ENDPOINT_URL_ECR" --repository-name hello-world --image-ids imageTag=latest --query 'images[].imageManifest' --output text)
			aws ecr put-image --endpoint-url "$AWS_ENDPOINT_URL_ECR" --repository-name hello-world --image-tag 2017.03 --image-manifest "$MANIFEST"`
		w.run(t, "sh", "-c", retag)
		w.wantImage(t, repository, "2017.03", digest)
		w.wantImage(t, repository, "latest", digest)
		w.refused(t, "An error occurred (ImageAlreadyExistsException)", "sh", "-c", retag)
	})

	t.Run("immutable tags", func(t *testing.T) {
		w.aws(t, nil, "ecr", "put-image-tag-mutability", "--repository-name", repository, "--image-tag-mutability", "IMMUTABLE")
		s.buildImage(t, w, image+":2017.03", "another")
		w.refused(t, "The image tag '2017.03' already exists in the 'hello-world' repository and cannot be overwritten because the tag is immutable.",
			"docker", "push", image+":2017.03")
		w.run(t, "docker", "tag", image+":2017.03", image+":other")
		w.run(t, "docker", "push", image+":other")
		w.refused(t, "An error occurred (ImageTagAlreadyExistsException)", "sh", "-c",
			`MANIFEST=$(aws ecr batch-get-image --endpoint-url "$AWS_ENDPOINT_URL_ECR" --repository-name hello-world --image-ids imageTag=other --query 'images[].imageManifest' --output text)
			aws ecr put-image --endpoint-url "$AWS_ENDPOINT_URL_ECR" --repository-name hello-world --image-tag latest --image-manifest "$MANIFEST"`)
		w.wantImage(t, repository, "latest", digest)
	})

	t.Run("delete images", func(t *testing.T) {
		var deleted struct {
			ImageIDs []imageID
			Failures []struct{ FailureCode string }
		}
		w.aws(t, &deleted, "ecr", "batch-delete-image", "--repository-name", repository, "--image-ids", "imageTag=latest")
		if want := []imageID{{digest, "latest"}}; !slices.Equal(deleted.ImageIDs, want) || len(deleted.Failures) != 0 {
			t.Errorf("batch-delete-image by tag gives %+v, want %v", deleted, want)
		}
		w.wantImage(t, repository, "2017.03", digest)
		w.aws(t, &deleted, "ecr", "batch-delete-image", "--repository-name", repository, "--image-ids", "imageDigest="+digest)
		if want := []imageID{{digest, "2017.03"}}; !slices.Equal(deleted.ImageIDs, want) || len(deleted.Failures) != 0 {
			t.Errorf("batch-delete-image by digest gives %+v, want %v", deleted, want)
		}
		w.aws(t, &deleted, "ecr", "batch-delete-image", "--repository-name", repository, "--image-ids", "imageDigest="+digest)
		if len(deleted.Failures) != 1 || deleted.Failures[0].FailureCode != "ImageNotFound" {
			t.Errorf("batch-delete-image of a deleted image gives %+v, want the failure ImageNotFound", deleted)
		}
	})

	t.Run("tag the repository", func(t *testing.T) {
		arn := "arn:aws:ecr:us-east-1:000000000000:repository/" + repository
		type tag struct{ Key, Value string }
		wantTags := func(want ...tag) {
			t.Helper()
			var got struct{ Tags []tag }
			w.aws(t, &got, "ecr", "list-tags-for-resource", "--resource-arn", arn)
			slices.SortFunc(got.Tags, func(a, b tag) int { return strings.Compare(a.Key, b.Key) })
			if !slices.Equal(got.Tags, want) {
				t.Errorf("tags are %v, want %v", got.Tags, want)
			}
		}
		w.aws(t, nil, "ecr", "tag-resource", "--resource-arn", arn, "--tags", "Key=stack,Value=dev")
		w.aws(t, nil, "ecr", "tag-resource", "--resource-arn", arn, "--tags", "Key=key1,Value=value1", "Key=key2,Value=value2")
		wantTags(tag{"key1", "value1"}, tag{"key2", "value2"}, tag{"stack", "dev"})
		w.aws(t, nil, "ecr", "untag-resource", "--resource-arn", arn, "--tag-keys", "key1", "key2")
		wantTags(tag{"stack", "dev"})
	})

	t.Run("repository policy", func(t *testing.T) {
		w.awsRefused(t, "RepositoryPolicyNotFoundException", "ecr", "get-repository-policy", "--repository-name", repository)
		const policy = `{"Version":"2008-10-17","Statement":[{"Sid":"AllowPull","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:root"},"Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"]}]}`
		w.aws(t, nil, "ecr", "set-repository-policy", "--repository-name", repository, "--policy-text", policy)
		var got struct{ PolicyText string }
		w.aws(t, &got, "ecr", "get-repository-policy", "--repository-name", repository)
		if !sameJSON(t, got.PolicyText, policy) {
			t.Errorf("the policy is %s, want %s", got.PolicyText, policy)
		}
	})

	t.Run("delete the repository", func(t *testing.T) {
		w.awsRefused(t, "RepositoryNotEmptyException", "ecr", "delete-repository", "--repository-name", repository)
		w.aws(t, nil, "ecr", "delete-repository", "--repository-name", repository, "--force")
		w.awsRefused(t, "RepositoryNotFoundException", "ecr", "delete-repository", "--repository-name", repository, "--force")
	})
}

// sameJSON says whether two documents differ in white space at most.
func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	normal := func(text string) string {
		var value any
		if err := json.Unmarshal([]byte(text), &value); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		data, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	return normal(a) == normal(b)
}
