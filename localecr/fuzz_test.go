package localecr

import (
	"strings"
	"testing"

	"github.com/ecrkit/ecrkit/localecr/internal/registry"
)

func FuzzRoute(f *testing.F) {
	for _, s := range []string{"/v2/", "/v2", "/v2/_catalog", "/v2/a/b/manifests/x", "/v2/blobs/uploads/blobs/uploads/", "/v2/a/blobs/uploads/u", "/v2/a/tags/list", "/v2/a/referrers/sha256:0", "/v2//"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		rt := parseRoute(path)
		if rt.name == "" {
			return
		}
		rebuilt := strings.NewReplacer("{name}", rt.name, "{reference}", rt.reference, "{digest}", rt.reference, "{uuid}", rt.reference).Replace(rt.template)
		if got := strings.TrimSuffix(rebuilt, "/"); !strings.Contains(rt.name+rt.reference, "{") && strings.HasPrefix(path, "/v2/") && got != strings.TrimSuffix(path, "/") {
			t.Fatalf("%q is taken apart as %+v", path, rt)
		}
	})
}

func FuzzReadFaults(f *testing.F) {
	f.Add("- {op: PutImage, status: 500}")
	f.Add("- op: \"GET /layers/{digest}\"\n  wrong_byte: 3\n")
	f.Fuzz(func(t *testing.T, text string) {
		faults, err := ReadFaults(strings.NewReader(text))
		for i := range faults {
			if err == nil && faults[i].check() != nil {
				t.Fatalf("%q gave the bad fault %+v", text, faults[i])
			}
		}
	})
}

func FuzzReadQuotas(f *testing.F) {
	f.Add("PutImage: {rate: 10, burst: 10}")
	f.Fuzz(func(t *testing.T, text string) {
		q, err := ReadQuotas(strings.NewReader(text))
		for op, quota := range q {
			if err == nil && (quota.Rate <= 0 || quota.Burst < 1) {
				t.Fatalf("%q gave %s %+v", text, op, quota)
			}
		}
	})
}

// FuzzSubject must not fail on what PutImage has taken or refused.
func FuzzSubject(f *testing.F) {
	f.Add([]byte(`{"subject":{"digest":"sha256:00"}}`))
	f.Fuzz(func(_ *testing.T, data []byte) { registry.Subject(data) })
}

func FuzzReadScanFindings(f *testing.F) {
	f.Add([]byte(`{"repositoryName": "app", "imageScanFindings": {"findings": [{"name": "CVE-2026-1", "severity": "LOW"}]}, "steps": [{"status": "COMPLETE", "after": "1s"}]}`))
	f.Add([]byte(`[{"imageScanFindings": {"imageScanCompletedAt": "2026-01-01T00:00:00Z"}}]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		fixtures, err := ReadScanFindings(strings.NewReader(string(data)))
		if err != nil {
			return
		}
		for _, fixture := range fixtures {
			converted := fixture.registryFixture()
			converted.Matches("app", registry.Digest(nil), []string{"1"})
		}
	})
}
