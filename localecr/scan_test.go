package localecr_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/ecrkit/ecrkit/localecr"
)

func (r *rig) startScan(repo string, m []byte) (types.ScanStatus, error) {
	out, err := r.api.StartImageScan(context.Background(), &ecr.StartImageScanInput{RepositoryName: &repo, ImageId: &types.ImageIdentifier{ImageDigest: aws.String(digestOf(m))}})
	if err != nil {
		return "", err
	}
	return out.ImageScanStatus.Status, nil
}

func (r *rig) findings(repo string, m []byte) (*ecr.DescribeImageScanFindingsOutput, error) {
	return r.api.DescribeImageScanFindings(context.Background(), &ecr.DescribeImageScanFindingsInput{RepositoryName: &repo, ImageId: &types.ImageIdentifier{ImageDigest: aws.String(digestOf(m))}})
}

// wantScan checks how far a scan is, "" for none, and returns what is shown.
func (r *rig) wantScan(repo string, m []byte, want types.ScanStatus) *ecr.DescribeImageScanFindingsOutput {
	r.t.Helper()
	out, err := r.findings(repo, m)
	if want == "" {
		wantError(r.t, err, "ScanNotFoundException", "Image scan does not exist for the image with '{imageDigest:'"+digestOf(m)+"', imageTag:'null'}' in the repository with name '"+repo+"' in the registry with id '000000000000'")
		return nil
	}
	if err != nil || out.ImageScanStatus.Status != want {
		r.t.Fatalf("%+v (%v), want %s", out, err, want)
	}
	return out
}

func (r *rig) setScanning(scanType types.ScanType, rules ...types.RegistryScanningRule) error {
	_, err := r.api.PutRegistryScanningConfiguration(context.Background(), &ecr.PutRegistryScanningConfigurationInput{ScanType: scanType, Rules: rules})
	return err
}

func scanningRule(frequency types.ScanFrequency, filters ...string) types.RegistryScanningRule {
	rule := types.RegistryScanningRule{ScanFrequency: frequency, RepositoryFilters: []types.ScanningRepositoryFilter{}}
	for _, f := range filters {
		rule.RepositoryFilters = append(rule.RepositoryFilters, types.ScanningRepositoryFilter{Filter: aws.String(f), FilterType: types.ScanningRepositoryFilterTypeWildcard})
	}
	return rule
}

func basicFindings(n int) types.ImageScanFindings {
	var f types.ImageScanFindings
	for i := range n {
		f.Findings = append(f.Findings, types.ImageScanFinding{Name: aws.String(fmt.Sprintf("CVE-2026-%04d", i)), Severity: types.FindingSeverityHigh})
	}
	return f
}

func enhancedFindings(n int) types.ImageScanFindings {
	var f types.ImageScanFindings
	for i := range n {
		f.EnhancedFindings = append(f.EnhancedFindings, types.EnhancedImageScanFinding{Title: aws.String(fmt.Sprintf("CVE-2026-%04d", i)), Severity: aws.String("CRITICAL")})
	}
	return f
}

func TestBasicScan(t *testing.T) {
	t.Parallel()
	r, ctx := newRig(t, localecr.Options{ScanTime: time.Minute, ScanFindings: []localecr.ScanFixture{{Repository: "a*", Findings: basicFindings(1001)}}}), context.Background()
	for _, repo := range []string{"app", "other"} {
		r.repository(repo)
	}
	m, clean := r.image("app", aws.String("1")), r.image("other", nil)
	r.wantScan("app", m, "")
	for repo, m := range map[string][]byte{"app": m, "other": clean} {
		if got, err := r.startScan(repo, m); err != nil || got != types.ScanStatusInProgress {
			t.Fatalf("%s, %v", got, err)
		}
	}
	if got := r.wantScan("app", m, types.ScanStatusInProgress); got.ImageScanFindings != nil {
		t.Errorf("%+v: want no findings yet", got.ImageScanFindings)
	}
	r.advance(time.Minute)
	got := r.wantScan("app", m, types.ScanStatusComplete)
	if f := got.ImageScanFindings; len(f.Findings) != 100 || f.FindingSeverityCounts["HIGH"] != 1001 || f.EnhancedFindings != nil || f.ImageScanCompletedAt == nil || f.VulnerabilitySourceUpdatedAt == nil ||
		*got.ImageScanStatus.Description != "The scan was completed successfully." || got.NextToken == nil {
		t.Errorf("%+v", got)
	}
	seen := map[string]bool{}
	pages := ecr.NewDescribeImageScanFindingsPaginator(r.api, &ecr.DescribeImageScanFindingsInput{RepositoryName: aws.String("app"), ImageId: &types.ImageIdentifier{ImageTag: aws.String("1")}, MaxResults: aws.Int32(1000)})
	n := 0
	for ; pages.HasMorePages(); n++ {
		page, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if *page.ImageId.ImageTag != "1" || *page.ImageId.ImageDigest != digestOf(m) {
			t.Errorf("%+v", page.ImageId)
		}
		for _, f := range page.ImageScanFindings.Findings {
			seen[*f.Name] = true
		}
	}
	if n != 2 || len(seen) != 1001 {
		t.Errorf("%d findings on %d pages", len(seen), n)
	}
	if f := r.wantScan("other", clean, types.ScanStatusComplete).ImageScanFindings; f.Findings == nil || len(f.Findings) != 0 || len(f.FindingSeverityCounts) != 0 {
		t.Errorf("%+v: want a list of nothing", f)
	}
	if d := r.details("app")[digestOf(m)]; d.ImageScanStatus != nil || d.ImageScanFindingsSummary != nil {
		t.Errorf("%+v: basic scanning does not use them", d)
	}

	for _, most := range []int32{0, 1001} {
		_, err := r.api.DescribeImageScanFindings(ctx, &ecr.DescribeImageScanFindingsInput{RepositoryName: aws.String("app"), ImageId: &types.ImageIdentifier{ImageTag: aws.String("1")}, MaxResults: &most})
		wantError(t, err, "InvalidParameterException", "maxResults")
	}
	if calls := r.calls.Calls(); r.calls.Count("StartImageScan") != 2 || calls[len(calls)-1].Repository != "app" {
		t.Errorf("%+v", calls[len(calls)-1])
	}
	for _, call := range r.calls.Calls() {
		if call.Op == "StartImageScan" && call.Digest != digestOf(map[string][]byte{"app": m, "other": clean}[call.Repository]) {
			t.Errorf("%+v: want the digest of the image", call)
		}
	}
	if err := r.srv.SetFaults(localecr.Fault{Op: "StartImageScan", Status: 400, Code: "BlockedByOrganizationPolicyException", Message: "no"}); err != nil {
		t.Fatal(err)
	}
	_, err := r.startScan("app", m)
	wantError(t, err, "BlockedByOrganizationPolicyException", "no")
	_, err = r.startScan("app", m)
	wantError(t, err, "LimitExceededException", "The scan quota per image has been exceeded. Wait and try again.")
	r.advance(day)
	if _, err := r.startScan("app", m); err != nil {
		t.Error(err)
	}
	r.wantScan("app", m, types.ScanStatusInProgress)
}

func TestWhatIsNotScanned(t *testing.T) {
	t.Parallel()
	r, ctx := newRig(t, localecr.Options{}), context.Background()
	r.repository("app")
	child := r.image("app", nil)
	list := index(child)
	if err := r.put("app", list, nil); err != nil {
		t.Fatal(err)
	}
	chart := referrer(r, "app", child)
	_, err := r.startScan("app", list)
	wantError(t, err, "UnsupportedImageTypeException", "An artifact with media type 'application/vnd.oci.image.index.v1+json' cannot be scanned")
	_, err = r.startScan("app", chart)
	wantError(t, err, "UnsupportedImageTypeException", "'application/vnd.example'")
	_, err = r.startScan("app", []byte("x"))
	wantError(t, err, "ImageNotFoundException", "")
	_, err = r.findings("app", []byte("x"))
	wantError(t, err, "ImageNotFoundException", "")
	_, err = r.startScan("none", child)
	wantError(t, err, "RepositoryNotFoundException", "")
	_, err = r.api.StartImageScan(ctx, &ecr.StartImageScanInput{RepositoryName: aws.String("app"), ImageId: &types.ImageIdentifier{}})
	wantError(t, err, "InvalidParameterException", "imageId")
	r.wantScan("app", list, "")

	// The archive: what was found is not shown, and gone when the image is back.
	m := r.image("app", nil)
	if _, err := r.startScan("app", m); err != nil {
		t.Fatal(err)
	}
	other := r.image("app", nil)
	for _, m := range [][]byte{m, other} {
		r.wantMove("app", m, types.TargetStorageClassArchive, types.ImageStatusArchived)
	}
	r.wantScan("app", m, types.ScanStatusImageArchived)
	r.wantScan("app", other, "")
	r.advance(2 * day)
	_, err = r.startScan("app", m)
	wantError(t, err, "ImageArchivedException", digestOf(m))
	r.wantMove("app", m, types.TargetStorageClassStandard, types.ImageStatusActivating)
	r.advance(time.Hour)
	r.wantScan("app", m, "")
}

func TestScanOnPush(t *testing.T) {
	t.Parallel()
	r, ctx := newRig(t, localecr.Options{ScanTime: time.Minute}), context.Background()
	for _, repo := range []string{"prod/app", "team/prod", "test"} {
		r.repository(repo)
	}
	before := r.image("prod/app", nil)
	// The repository's own setting, deprecated, and the registry's rules.
	if _, err := r.api.PutImageScanningConfiguration(ctx, &ecr.PutImageScanningConfigurationInput{RepositoryName: aws.String("test"), ImageScanningConfiguration: &types.ImageScanningConfiguration{ScanOnPush: true}}); err != nil {
		t.Fatal(err)
	}
	if err := r.setScanning(types.ScanTypeBasic, scanningRule(types.ScanFrequencyScanOnPush, "prod/*")); err != nil {
		t.Fatal(err)
	}
	in, out, own := r.image("prod/app", nil), r.image("team/prod", nil), r.image("test", nil)
	r.wantScan("prod/app", in, types.ScanStatusInProgress)
	r.wantScan("test", own, types.ScanStatusInProgress)
	r.wantScan("team/prod", out, "")
	r.wantScan("prod/app", before, "")
	_, err := r.startScan("prod/app", in)
	wantError(t, err, "LimitExceededException", "") // the push has begun one
	r.advance(time.Minute)
	r.wantScan("prod/app", in, types.ScanStatusComplete)

	got, err := r.api.BatchGetRepositoryScanningConfiguration(ctx, &ecr.BatchGetRepositoryScanningConfigurationInput{RepositoryNames: []string{"prod/app", "team/prod", "test", "none"}})
	if err != nil || len(got.Failures) != 1 || got.Failures[0].FailureCode != types.ScanningConfigurationFailureCodeRepositoryNotFound || *got.Failures[0].RepositoryName != "none" || len(got.ScanningConfigurations) != 3 {
		t.Fatalf("%+v, %v", got, err)
	}
	for i, want := range []string{"SCAN_ON_PUSH true 1", "MANUAL false 0", "SCAN_ON_PUSH true 0"} {
		c := got.ScanningConfigurations[i]
		if line := fmt.Sprintf("%s %v %d", c.ScanFrequency, c.ScanOnPush, len(c.AppliedScanFilters)); line != want {
			t.Errorf("%s: %s, want %s", *c.RepositoryName, line, want)
		}
	}
	_, err = r.api.BatchGetRepositoryScanningConfiguration(ctx, &ecr.BatchGetRepositoryScanningConfigurationInput{RepositoryNames: make([]string, 26)})
	wantError(t, err, "InvalidParameterException", "between 1 and 25")

	// A filter without a wildcard is about all names that contain it. A restored image is like a new one.
	if err := r.setScanning("", scanningRule(types.ScanFrequencyScanOnPush, "prod")); err != nil {
		t.Fatal(err)
	}
	r.wantScan("team/prod", r.image("team/prod", nil), types.ScanStatusInProgress)
	r.wantMove("prod/app", before, types.TargetStorageClassArchive, types.ImageStatusArchived)
	r.wantMove("prod/app", before, types.TargetStorageClassStandard, types.ImageStatusActivating)
	r.advance(time.Hour)
	r.wantScan("prod/app", before, types.ScanStatusComplete)
}

func TestEnhancedScan(t *testing.T) {
	t.Parallel()
	r, ctx := newRig(t, localecr.Options{ScanTime: time.Minute, ScanFindings: []localecr.ScanFixture{{Tag: "bad*", Findings: enhancedFindings(101)}, {Tag: "basic", Findings: basicFindings(1)}}}), context.Background()
	for _, repo := range []string{"push", "always", "never"} {
		r.repository(repo)
	}
	old := map[string][]byte{}
	for _, repo := range []string{"push", "always", "never"} {
		old[repo] = r.image(repo, aws.String("bad-old"))
	}
	if _, err := r.startScan("push", old["push"]); err != nil {
		t.Fatal(err)
	}
	r.advance(time.Minute)
	if got := r.wantScan("push", old["push"], types.ScanStatusFailed); !strings.Contains(*got.ImageScanStatus.Description, "enhanced scanning only") || got.ImageScanFindings != nil {
		t.Errorf("%+v: findings of the other scan type must not look like none", got.ImageScanStatus)
	}
	rules := []types.RegistryScanningRule{scanningRule(types.ScanFrequencyScanOnPush, "*s*"), scanningRule(types.ScanFrequencyContinuousScan, "always")}
	if err := r.setScanning(types.ScanTypeEnhanced, rules...); err != nil {
		t.Fatal(err)
	}
	r.wantScan("push", old["push"], "") // the basic scan is no enhanced one
	r.wantScan("never", old["never"], "")
	r.wantScan("always", old["always"], types.ScanStatusPending)
	_, err := r.startScan("push", old["push"])
	wantError(t, err, "ValidationException", "This feature is disabled")
	pushed, basic := r.image("push", aws.String("bad")), r.image("push", aws.String("basic"))
	r.wantScan("push", pushed, types.ScanStatusPending)
	r.advance(time.Minute)
	got := r.wantScan("push", pushed, types.ScanStatusComplete)
	if f := got.ImageScanFindings; len(f.EnhancedFindings) != 100 || f.Findings != nil || f.FindingSeverityCounts["CRITICAL"] != 101 || got.NextToken == nil {
		t.Errorf("%+v", f)
	}
	r.wantScan("push", basic, types.ScanStatusFailed)
	if got := r.wantScan("always", old["always"], types.ScanStatusActive); *got.ImageScanStatus.Description != "Continuous scan is selected for image." || len(got.ImageScanFindings.EnhancedFindings) != 100 {
		t.Errorf("%+v", got)
	}
	if d := r.details("always")[digestOf(old["always"])]; d.ImageScanStatus.Status != types.ScanStatusActive || d.ImageScanFindingsSummary.FindingSeverityCounts["CRITICAL"] != 101 {
		t.Errorf("%+v", d)
	}
	c, err := r.api.GetRegistryScanningConfiguration(ctx, &ecr.GetRegistryScanningConfigurationInput{})
	if err != nil || c.ScanningConfiguration.ScanType != types.ScanTypeEnhanced || len(c.ScanningConfiguration.Rules) != 2 || *c.RegistryId != "000000000000" {
		t.Errorf("%+v, %v", c, err)
	}
	batch, err := r.api.BatchGetRepositoryScanningConfiguration(ctx, &ecr.BatchGetRepositoryScanningConfigurationInput{RepositoryNames: []string{"always"}})
	if err != nil || batch.ScanningConfigurations[0].ScanFrequency != types.ScanFrequencyContinuousScan || *batch.ScanningConfigurations[0].AppliedScanFilters[0].Filter != "always" {
		t.Errorf("%+v, %v", batch, err)
	}
}

func TestScanningConfigurationIsChecked(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	c, err := r.api.GetRegistryScanningConfiguration(context.Background(), &ecr.GetRegistryScanningConfigurationInput{})
	if err != nil || c.ScanningConfiguration.ScanType != types.ScanTypeBasic || c.ScanningConfiguration.Rules == nil || len(c.ScanningConfiguration.Rules) != 0 {
		t.Errorf("%+v, %v: want basic scanning without rules", c, err)
	}
	for _, bad := range []struct {
		scanType types.ScanType
		rule     types.RegistryScanningRule
		message  string
	}{
		{"CLAIR", scanningRule(types.ScanFrequencyScanOnPush, "*"), "scanType"},
		{types.ScanTypeBasic, scanningRule(types.ScanFrequencyContinuousScan, "*"), "rules.1.member.scanFrequency"},
		{types.ScanTypeEnhanced, scanningRule(types.ScanFrequencyManual, "*"), "rules.1.member.scanFrequency"},
		{types.ScanTypeBasic, scanningRule(types.ScanFrequencyScanOnPush, "Prod"), "repositoryFilters.1.member.filter'"},
		{types.ScanTypeBasic, scanningRule(types.ScanFrequencyScanOnPush, ""), "between 1 and 255"},
		{types.ScanTypeBasic, types.RegistryScanningRule{ScanFrequency: types.ScanFrequencyScanOnPush, RepositoryFilters: []types.ScanningRepositoryFilter{{Filter: aws.String("*"), FilterType: "PREFIX_MATCH"}}}, "filterType"},
	} {
		wantError(t, r.setScanning(bad.scanType, bad.rule), "InvalidParameterException", bad.message)
	}
	many := make([]types.RegistryScanningRule, 101)
	for i := range many {
		many[i] = scanningRule(types.ScanFrequencyScanOnPush, "*")
	}
	wantError(t, r.setScanning(types.ScanTypeBasic, many...), "InvalidParameterException", "between 0 and 2")
}

func TestScanSteps(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	r.repository("app")
	all := types.ScanStatus("").Values()
	var fixture localecr.ScanFixture
	for i, status := range all {
		fixture.Steps = append(fixture.Steps, localecr.ScanStep{After: time.Duration(i) * time.Minute, Status: status, Description: "now " + string(status)})
	}
	if err := r.srv.SetScanFindings(localecr.ScanFixture{Repository: "app"}, fixture); err != nil {
		t.Fatal(err)
	}
	m := r.image("app", nil)
	fixture.Digest = digestOf(m) // goes before those that match too
	if err := r.srv.SetScanFindings(localecr.ScanFixture{Repository: "app"}, fixture); err != nil {
		t.Fatal(err)
	}
	if _, err := r.startScan("app", m); err != nil {
		t.Fatal(err)
	}
	for _, status := range all {
		got := r.wantScan("app", m, status)
		shown := status == types.ScanStatusComplete || status == types.ScanStatusActive
		if *got.ImageScanStatus.Description != "now "+string(status) || (got.ImageScanFindings != nil) != shown {
			t.Errorf("%+v, findings %+v", got.ImageScanStatus, got.ImageScanFindings)
		}
		r.advance(time.Minute)
	}
	for _, bad := range []localecr.ScanFixture{
		{Digest: "sha256:0"}, {Status: "DONE"}, {Steps: []localecr.ScanStep{{Status: "DONE"}}}, {Status: types.ScanStatusFailed, Steps: fixture.Steps},
		{Steps: []localecr.ScanStep{{After: 2, Status: types.ScanStatusPending}, {After: 1, Status: types.ScanStatusFailed}}},
		{Findings: types.ImageScanFindings{Findings: []types.ImageScanFinding{{Severity: "TERRIBLE"}}}},
	} {
		if err := r.srv.SetScanFindings(bad); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
}

func TestReadScanFindings(t *testing.T) {
	t.Parallel()
	// As the aws CLI prints it: version 1 with times as numbers, version 2 as text.
	recorded := `{"imageScanFindings": {"findings": [{"name": "CVE-2026-1", "severity": "LOW", "attributes": [{"key": "package_name", "value": "x"}]}],
		"enhancedFindings": [{"title": "CVE-2026-2", "score": 9.8, "severity": "HIGH", "firstObservedAt": %s, "resources": [{"tags": {"a": "b"}, "details": {"awsEcrContainerImage": {"imageTags": ["1"], "inUseCount": 2}}}]}],
		"imageScanCompletedAt": %[1]s, "findingSeverityCounts": {"LOW": 1}}, "registryId": "1", "repositoryName": "app", "imageId": {"imageDigest": "` + digestOf([]byte("x")) + `", "imageTag": "1.*"},
		"imageScanStatus": {"status": "ACTIVE", "description": "d"}}`
	for _, at := range []string{"1767225600.5", `"2026-01-01T00:00:00.500000+00:00"`} {
		fixtures, err := localecr.ReadScanFindings(strings.NewReader(fmt.Sprintf(recorded, at)))
		if err != nil || len(fixtures) != 1 {
			t.Fatal(fixtures, err)
		}
		f := fixtures[0]
		e := f.Findings.EnhancedFindings[0]
		if f.Repository != "app" || f.Tag != "1.*" || f.Digest != digestOf([]byte("x")) || f.Status != types.ScanStatusActive || f.Description != "d" || f.Steps != nil ||
			*f.Findings.Findings[0].Name != "CVE-2026-1" || e.Score != 9.8 || !e.FirstObservedAt.Equal(time.UnixMilli(1767225600500)) || *e.Resources[0].Details.AwsEcrContainerImage.InUseCount != 2 {
			t.Errorf("%+v", f)
		}
	}
	list, err := localecr.ReadScanFindings(strings.NewReader(`[{"steps": [{"status": "PENDING"}, {"status": "FAILED", "after": "1m", "description": "no"}]}, {}]`))
	if err != nil || len(list) != 2 || len(list[0].Steps) != 2 || list[0].Steps[1] != (localecr.ScanStep{After: time.Minute, Status: types.ScanStatusFailed, Description: "no"}) {
		t.Errorf("%+v, %v", list, err)
	}
	for name, bad := range map[string]string{
		"nothing": "", "text": `"x"`, "a broken list": "[{}", "null": "null", "more behind it": "{}{}",
		"an unknown key": `{"repository": "app"}`, "an unknown key of a finding": `{"imageScanFindings": {"findings": [{"severty": "LOW"}]}}`,
		"one page": `{"nextToken": "x"}`, "both": `{"imageScanStatus": {"status": "FAILED"}, "steps": []}`, "no status": `{"imageScanStatus": {}}`,
		"an unknown status": `{"imageScanStatus": {"status": "DONE"}}`, "no duration": `{"steps": [{"status": "FAILED", "after": "1"}]}`,
	} {
		if got, err := localecr.ReadScanFindings(strings.NewReader(bad)); err == nil {
			t.Errorf("%s was taken: %+v", name, got)
		}
	}

	dir := t.TempDir()
	if _, err := localecr.LoadScanFindings(t.Context(), dir); err == nil {
		t.Error("an empty directory was taken")
	}
	for name, text := range map[string]string{"b.json": `{"repositoryName": "b"}`, "a.json": `[{"repositoryName": "a"}]`, "notes.txt": "?"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	fixtures, err := localecr.LoadScanFindings(t.Context(), dir)
	if err != nil || len(fixtures) != 2 || fixtures[0].Repository != "a" || fixtures[1].Repository != "b" {
		t.Errorf("%+v, %v", fixtures, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "c.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := localecr.LoadScanFindings(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "c.json") {
		t.Errorf("%v: want the file named", err)
	}
}
