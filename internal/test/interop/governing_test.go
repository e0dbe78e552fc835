//go:build interop

package interop

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// testGoverning runs the commands of the Amazon ECR User Guide on lifecycle policies, scans and the settings
// of a registry with the aws CLI, and compares what it prints with what ecrkit says.
func (s *suite) testGoverning(t *testing.T) {
	findings := filepath.Join(t.TempDir(), "findings.json")
	writeFile(t, findings, []byte(`{"repositoryName": "app", "imageScanFindings": {
		"findings": [{"name": "CVE-2026-0001", "severity": "HIGH", "attributes": [{"key": "package_name", "value": "zlib"}]}],
		"findingSeverityCounts": {"HIGH": 1}}}`))
	w := s.start(t, "--ephemeral", "--scan-findings", findings, "--scan-time", "100ms", "--preview-time", "100ms")
	w.createRepository(t, "app")
	image, index := s.kind("oci"), s.kind("index")
	repository := w.Addr + "/app"
	for _, tag := range []string{"prod-1", "dev-1"} {
		w.run(t, "ecrkit", "push", "oci:"+image.layout, repository+":"+tag)
	}
	w.run(t, "ecrkit", "push", "oci:"+index.layout, repository+":prod-2")
	w.run(t, "ecrkit", "push", "oci:"+s.kind("schema2").layout, repository+":prod-3")
	policy := filepath.Join(w.home, "policy.json")
	writeFile(t, policy, []byte(w.run(t, "ecrkit", "lifecycle", "new", "--keep", "prod=1", "--untagged-older-than", "7", "--quiet")))

	t.Run("lifecycle policies", func(t *testing.T) { w.testLifecycle(t, repository, policy) })
	t.Run("scans", func(t *testing.T) { w.testScans(t, repository, image.digest) })
	t.Run("registry", w.testRegistrySettings)
}

func (w *site) testLifecycle(t *testing.T, repository, policy string) {
	w.awsRefused(t, "LifecyclePolicyNotFoundException", "ecr", "get-lifecycle-policy", "--repository-name", "app")
	w.awsRefused(t, "InvalidParameterException", "ecr", "put-lifecycle-policy", "--repository-name", "app", "--lifecycle-policy-text", `{"rules": [{"rulePriority": 1,
		"selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 0}, "action": {"type": "expire"}}]}`)
	var kept struct{ LifecyclePolicyText string }
	w.aws(t, &kept, "ecr", "put-lifecycle-policy", "--repository-name", "app", "--lifecycle-policy-text", "file://"+policy)
	w.aws(t, &kept, "ecr", "get-lifecycle-policy", "--repository-name", "app")
	if ours := w.run(t, "ecrkit", "lifecycle", "get", repository); !sameJSON(t, ours, kept.LifecyclePolicyText) {
		t.Errorf("ecrkit says that the policy is %s, the aws CLI %s", ours, kept.LifecyclePolicyText)
	}

	w.aws(t, nil, "ecr", "start-lifecycle-policy-preview", "--repository-name", "app")
	w.aws(t, nil, "ecr", "wait", "lifecycle-policy-preview-complete", "--repository-name", "app")
	var preview struct {
		PreviewResults []struct {
			ImageTags           []string
			ImageDigest         string
			AppliedRulePriority int
			Action              struct{ Type string }
		}
		Summary struct{ ExpiringImageTotalCount int }
	}
	w.aws(t, &preview, "ecr", "get-lifecycle-policy-preview", "--repository-name", "app")
	var evaluated struct {
		Results []struct {
			ImageDigest, Action string
			RulePriority        int
		}
	}
	if err := json.Unmarshal([]byte(w.run(t, "ecrkit", "lifecycle", "evaluate", "--images", repository, "--output", "json")), &evaluated); err != nil {
		t.Fatal(err)
	}
	var theirs, ours []string
	for _, r := range preview.PreviewResults {
		theirs = append(theirs, r.ImageDigest)
	}
	for _, r := range evaluated.Results {
		if r.Action == "EXPIRE" {
			ours = append(ours, r.ImageDigest)
		}
	}
	slices.Sort(theirs)
	slices.Sort(ours)
	// Of three production images, of which one has the tag dev-1 too, the newest stays.
	if len(theirs) != 2 || !slices.Equal(ours, theirs) || preview.Summary.ExpiringImageTotalCount != 2 {
		t.Errorf("ecrkit expires %q, Amazon ECR previews %+v", ours, preview)
	}
	w.run(t, "ecrkit", "lifecycle", "preview", repository)
	w.aws(t, nil, "ecr", "delete-lifecycle-policy", "--repository-name", "app")
	w.awsRefused(t, "LifecyclePolicyNotFoundException", "ecr", "get-lifecycle-policy", "--repository-name", "app")
}

func (w *site) testScans(t *testing.T, repository, digest string) {
	id := "imageDigest=" + digest
	w.awsRefused(t, "ScanNotFoundException", "ecr", "describe-image-scan-findings", "--repository-name", "app", "--image-id", id)
	w.awsRefused(t, "UnsupportedImageTypeException", "ecr", "start-image-scan", "--repository-name", "app", "--image-id", "imageTag=prod-2")
	w.aws(t, nil, "ecr", "start-image-scan", "--repository-name", "app", "--image-id", id)
	w.aws(t, nil, "ecr", "wait", "image-scan-complete", "--repository-name", "app", "--image-id", id)
	w.awsRefused(t, "LimitExceededException", "ecr", "start-image-scan", "--repository-name", "app", "--image-id", id)
	var found struct {
		ImageScanStatus   struct{ Status string }
		ImageScanFindings struct {
			Findings []struct{ Name, Severity string }
		}
	}
	w.aws(t, &found, "ecr", "describe-image-scan-findings", "--repository-name", "app", "--image-id", id)
	if list := found.ImageScanFindings.Findings; found.ImageScanStatus.Status != "COMPLETE" || len(list) != 1 || list[0].Name != "CVE-2026-0001" {
		t.Errorf("the aws CLI finds %+v", found)
	}
	gate := filepath.Join(w.home, "gate.yaml")
	writeFile(t, gate, []byte("version: 1\nblock:\n  - severity: HIGH\n"))
	w.refused(t, "CVE-2026-0001", "ecrkit", "scan", "gate", repository+"@"+digest, "--policy", gate)
}

func (w *site) testRegistrySettings(t *testing.T) {
	w.aws(t, nil, "ecr", "put-registry-scanning-configuration", "--scan-type", "ENHANCED",
		"--rules", `[{"repositoryFilters": [{"filter": "a*", "filterType": "WILDCARD"}], "scanFrequency": "CONTINUOUS_SCAN"}]`)
	var registry struct {
		ScanningConfiguration struct {
			ScanType string
			Rules    []struct{ ScanFrequency string }
		}
	}
	w.aws(t, &registry, "ecr", "get-registry-scanning-configuration")
	if c := registry.ScanningConfiguration; c.ScanType != "ENHANCED" || len(c.Rules) != 1 || c.Rules[0].ScanFrequency != "CONTINUOUS_SCAN" {
		t.Errorf("scanning is %+v", registry)
	}
	var repositories struct {
		ScanningConfigurations []struct{ RepositoryName, ScanFrequency string }
	}
	w.aws(t, &repositories, "ecr", "batch-get-repository-scanning-configuration", "--repository-names", "app")
	if c := repositories.ScanningConfigurations; len(c) != 1 || c[0].ScanFrequency != "CONTINUOUS_SCAN" {
		t.Errorf("scanning of the repository is %+v", repositories)
	}
	if ours := w.run(t, "ecrkit", "repo", "describe", "app", "--output", "json"); !strings.Contains(ours, "CONTINUOUS_SCAN") {
		t.Errorf("ecrkit repo describe says %s", ours)
	}
	w.awsRefused(t, "RegistryPolicyNotFoundException", "ecr", "get-registry-policy")
}
