//go:build interop

package interop

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/ecrkit/ecrkit/localecr"
)

const farRegion = "eu-west-1"

// testFarSide replicates images to another region with the aws CLI, and pulls them back through the cache with crane.
func (s *suite) testFarSide(t *testing.T) {
	w := s.start(t, "--ephemeral", "--replication-time", "100ms")
	w.createRepository(t, "app")
	image, index := s.kind("oci"), s.kind("index")
	w.run(t, "ecrkit", "push", "oci:"+image.layout, w.Addr+"/app:before")
	w.aws(t, nil, "ecr", "put-replication-configuration", "--replication-configuration",
		`{"rules": [{"destinations": [{"region": "`+farRegion+`", "registryId": "000000000000"}], "repositoryFilters": [{"filter": "app", "filterType": "PREFIX_MATCH"}]}]}`)
	w.run(t, "ecrkit", "push", "oci:"+index.layout, w.Addr+"/app:after")
	w.waitFor(t, "the replication", func() bool {
		var status []string
		w.aws(t, &status, "ecr", "describe-image-replication-status", "--repository-name", "app", "--image-id", "imageTag=after", "--query", "replicationStatuses[].status")
		return len(status) == 1 && status[0] == "COMPLETE"
	})
	id := w.startBackfill(t)
	w.waitFor(t, "the backfill", func() bool { return w.backfillStatus(t, id) == "COMPLETE" })
	var far []struct{ Digest, Tag string }
	w.aws(t, &far, "ecr", "--region", farRegion, "describe-images", "--repository-name", "app", "--filter", "tagStatus=TAGGED", "--query", "imageDetails[].{Digest: imageDigest, Tag: imageTags[0]}")
	got := map[string]string{}
	for _, i := range far {
		got[i.Tag] = i.Digest
	}
	if len(got) != 2 || got["before"] != image.digest || got["after"] != index.digest {
		t.Errorf("%s has %v", farRegion, got)
	}

	w.aws(t, nil, "ecr", "create-pull-through-cache-rule", "--ecr-repository-prefix", "far", "--upstream-registry-url", "000000000000.dkr.ecr."+farRegion+".amazonaws.com")
	w.awsRefused(t, "PullThroughCacheRuleAlreadyExistsException", "ecr", "create-pull-through-cache-rule", "--ecr-repository-prefix", "far", "--upstream-registry-url", "quay.io")
	w.awsRefused(t, "UnsupportedUpstreamRegistryException", "ecr", "create-pull-through-cache-rule", "--ecr-repository-prefix", "other", "--upstream-registry-url", "registry.example.com")
	if w.awsKnows(t, "validate-pull-through-cache-rule") {
		var valid bool
		w.aws(t, &valid, "ecr", "validate-pull-through-cache-rule", "--ecr-repository-prefix", "far", "--query", "isValid")
		if !valid {
			t.Error("validate-pull-through-cache-rule says that the rule is not valid")
		}
		w.awsRefused(t, "SecretNotFoundException", "ecr", "update-pull-through-cache-rule", "--ecr-repository-prefix", "far", "--credential-arn",
			"arn:aws:secretsmanager:us-east-1:000000000000:secret:ecr-pullthroughcache/none")
	}
	wantDigest(t, "crane digest through the cache", w.run(t, "crane", "digest", w.Addr+"/far/app:before"), image.digest)
	w.run(t, "skopeo", "copy", "--all", "--src-tls-verify="+tlsVerify(w.Addr), "docker://"+w.Addr+"/far/app:after", "dir:"+t.TempDir())
	w.wantImage(t, "far/app", "after", index.digest)
	var prefixes []string
	w.aws(t, &prefixes, "ecr", "describe-pull-through-cache-rules", "--query", "pullThroughCacheRules[].ecrRepositoryPrefix")
	if len(prefixes) != 1 || prefixes[0] != "far" {
		t.Errorf("describe-pull-through-cache-rules: %v", prefixes)
	}
	// The docker engine gets the image of the far side through the cache, and that of the platform out of an index.
	docker := w.with(map[string]string{"DOCKER_HOST": startDocker(t)})
	docker.run(t, "docker", "pull", w.Addr+"/far/app:before")
	wantDigest(t, "docker pull through the cache", strings.TrimPrefix(docker.run(t, "docker", "inspect", "--format", "{{index .RepoDigests 0}}", w.Addr+"/far/app:before"), w.Addr+"/far/app@"), image.digest)
	w.aws(t, nil, "ecr", "delete-pull-through-cache-rule", "--ecr-repository-prefix", "far")
	w.testRegistryState(t)
}

// testRegistryState has the aws CLI and ecrkit read what the other has set, and put back what was exported.
func (w *site) testRegistryState(t *testing.T) {
	t.Helper()
	const policy = `{"Version": "2012-10-17", "Statement": [{"Sid": "peer", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::222222222222:root"},
		"Action": ["ecr:CreateRepository", "ecr:ReplicateImage"], "Resource": ["arn:aws:ecr:us-east-1:000000000000:repository/*"]}]}`
	w.aws(t, nil, "ecr", "put-registry-policy", "--policy-text", policy)
	w.aws(t, nil, "ecr", "create-pull-through-cache-rule", "--ecr-repository-prefix", "quay", "--upstream-registry-url", "quay.io")
	file := filepath.Join(t.TempDir(), "registry.yaml")
	writeFile(t, file, []byte(w.run(t, "ecrkit", "repo", "export", w.Addr)))
	if out := w.run(t, "ecrkit", "repo", "apply", file, "--dry-run", "--fail-on-drift"); !strings.Contains(out, "no changes") {
		t.Errorf("what was exported differs: %s", out)
	}
	w.aws(t, nil, "ecr", "delete-registry-policy")
	w.aws(t, nil, "ecr", "delete-pull-through-cache-rule", "--ecr-repository-prefix", "quay")
	w.aws(t, nil, "ecr", "put-replication-configuration", "--replication-configuration", `{"rules": []}`)
	w.run(t, "ecrkit", "repo", "apply", file)
	var text, upstream, region string
	w.aws(t, &text, "ecr", "get-registry-policy", "--query", "policyText")
	w.aws(t, &upstream, "ecr", "describe-pull-through-cache-rules", "--ecr-repository-prefixes", "quay", "--query", "pullThroughCacheRules[0].upstreamRegistryUrl")
	w.aws(t, &region, "ecr", "describe-registry", "--query", "replicationConfiguration.rules[0].destinations[0].region")
	if !strings.Contains(text, "ecr:ReplicateImage") || upstream != "quay.io" || region != farRegion {
		t.Errorf("the aws CLI reads the policy %s, the upstream %s and the region %s", text, upstream, region)
	}
}

// startBackfill starts a replication backfill, with the SDK if the aws CLI is older than the command.
func (w *site) startBackfill(t *testing.T) (id string) {
	t.Helper()
	if w.awsKnows(t, "start-replication-backfill") {
		w.aws(t, &id, "ecr", "start-replication-backfill", "--destination", "region="+farRegion+",registryId=000000000000", "--query", "replicationBackfillId")
		return id
	}
	out, err := w.ECR().StartReplicationBackfill(t.Context(), &ecr.StartReplicationBackfillInput{Destination: &types.ReplicationDestination{Region: aws.String(farRegion), RegistryId: aws.String("000000000000")}})
	if err != nil {
		t.Fatal(err)
	}
	return *out.ReplicationBackfillId
}

func (w *site) backfillStatus(t *testing.T, id string) (status string) {
	t.Helper()
	if w.awsKnows(t, "describe-replication-backfill-results") {
		w.aws(t, &status, "ecr", "describe-replication-backfill-results", "--replication-backfill-id", id, "--query", "status")
		return status
	}
	out, err := w.ECR().DescribeReplicationBackfillResults(t.Context(), &ecr.DescribeReplicationBackfillResultsInput{ReplicationBackfillId: &id})
	if err != nil {
		t.Fatal(err)
	}
	return string(out.Status)
}

// awsKnows reports whether the aws CLI is new enough for a command of ECR.
func (w *site) awsKnows(t *testing.T, command string) bool {
	t.Helper()
	stdout, stderr, _ := w.execute(t, "aws", "ecr", command)
	return !strings.Contains(strings.ToLower(stdout+stderr), "invalid choice")
}

// waitFor asks until done, for a minute at most.
func (w *site) waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !done(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s does not end", what)
		}
	}
}

// testPolicies has a user who may pull only, and the aws CLI, crane and ecrkit meet the refusals.
func (s *suite) testPolicies(t *testing.T) {
	user := localecr.DefaultAccounts()[0].Users[0]
	accounts := filepath.Join(t.TempDir(), "accounts.yaml")
	writeFile(t, accounts, []byte(`
- id: "000000000000"
  users:
    - name: ecrkit
      access_key_id: `+user.AccessKeyID+`
      secret_access_key: `+user.SecretAccessKey+`
      policies:
        - Version: 2012-10-17
          Statement:
            - {Effect: Allow, Action: "*", Resource: "*"}
            - {Effect: Deny, Action: "ecr:*", Resource: "arn:aws:ecr:*:*:repository/secret/*"}
            - {Effect: Deny, Action: ["ecr:InitiateLayerUpload", "ecr:PutImage"], Resource: "arn:aws:ecr:*:*:repository/frozen"}
`))
	w := s.start(t, "--ephemeral", "--accounts", accounts)
	image := s.kind("oci")
	w.createRepository(t, "app")
	w.createRepository(t, "frozen")
	w.run(t, "ecrkit", "push", "oci:"+image.layout, w.Addr+"/app:1.0")
	const refusal = "User: arn:aws:iam::000000000000:user/ecrkit is not authorized to perform: ecr:"
	w.awsRefused(t, "AccessDeniedException", "ecr", "create-repository", "--repository-name", "secret/app")
	w.refused(t, refusal+"CreateRepository on resource: arn:aws:ecr:us-east-1:000000000000:repository/secret/app with an explicit deny in an identity-based policy", "aws",
		append(w.endpoint("ecr"), "create-repository", "--repository-name", "secret/app")...)
	w.refused(t, "is not authorized to perform", "crane", "push", image.layout, w.Addr+"/frozen:1.0")
	w.refused(t, "is not authorized to perform", "ecrkit", "push", "oci:"+image.layout, w.Addr+"/frozen:1.0")
	// The policy of a repository denies too.
	w.aws(t, nil, "ecr", "set-repository-policy", "--repository-name", "app", "--policy-text",
		`{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "ecr:BatchGetImage"}]}`)
	w.refused(t, "with an explicit deny in a resource-based policy", "crane", "manifest", w.Addr+"/app:1.0")
	w.aws(t, nil, "ecr", "delete-repository-policy", "--repository-name", "app")
	wantDigest(t, "crane digest", w.run(t, "crane", "digest", w.Addr+"/app:1.0"), image.digest)
}
