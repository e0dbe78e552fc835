package scan

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// open reads the reports of files in testdata, as a whole.
func open(t testing.TB, files ...string) Report {
	t.Helper()
	var pages []Page
	for _, name := range files {
		f, err := os.Open(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		more, err := DecodePages(f)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, more...)
	}
	reports, err := Reports(pages...)
	if err != nil {
		t.Fatal(err)
	}
	return Merge(reports...)
}

func TestBasicFindings(t *testing.T) {
	r := open(t, "basic.json")
	if r.Type != Basic || r.Status != StatusComplete || r.Reference() != "shop/cart:2.0" || r.Platform != "" {
		t.Errorf("%+v", r)
	}
	if want := time.Date(2026, 11, 19, 23, 0, 0, 0, time.UTC); r.CompletedAt == nil || !r.CompletedAt.Equal(want) {
		t.Errorf("completed %v, want %v", r.CompletedAt, want)
	}
	if len(r.Findings) != 3 {
		t.Fatalf("%d findings of two pages, want 3", len(r.Findings))
	}
	f := r.Findings[1]
	if f.ID != "CVE-2019-5188" || f.Severity != High || f.names() != "e2fsprogs" || f.versions() != "1.44.1-1ubuntu1.1" ||
		f.showScore() != "4.6" || f.Vector != "AV:L/AC:L/Au:N/C:P/I:P/A:P" {
		t.Errorf("%+v", f)
	}
	if f.Fix != Unknown || f.Exploit != Unknown || f.InUse != nil {
		t.Errorf("a basic scan is said to know of fixes, exploits or use: %+v", f)
	}
	if s := r.Findings[0].showScore(); s != "9.8" {
		t.Errorf("the score of CVSS 3 is %q, want 9.8", s)
	}
}

func TestEnhancedFindings(t *testing.T) {
	r := open(t, "enhanced.json")
	if r.Type != Enhanced || r.Status != StatusActive || r.Platform != "amd64" || r.System != "DEBIAN_12" || r.Reference() != "shop/checkout:1.4.2" {
		t.Errorf("%+v", r)
	}
	f := r.Findings[0]
	if f.ID != "CVE-2026-21001" || f.Severity != Critical || f.Fix != Yes || f.Exploit != Yes || f.InUse == nil || *f.InUse != 3 || f.LastInUse == nil {
		t.Errorf("%+v", f)
	}
	want := Package{Name: "openssl", Version: "3.0.11-1~deb12u2", Fixed: "0:3.0.15-1~deb12u1", Manager: "OS", Layer: "sha256:" + strings.Repeat("a1", 32)}
	if len(f.Packages) != 2 || f.Packages[0] != want {
		t.Errorf("%+v", f.Packages)
	}
	for _, f := range r.Findings {
		switch f.ID {
		case "CVE-2026-15555":
			if f.Severity != Undefined || f.Score != nil {
				t.Errorf("UNTRIAGED without a score: %+v", f)
			}
		case "CVE-2026-19990":
			if f.Packages[0].Version != "1:1.2.13.dfsg-1" || f.Packages[0].Fixed != "" || f.Fix != No {
				t.Errorf("%+v", f)
			}
		case "CVE-2026-18233":
			if f.Fix != Partial {
				t.Errorf("%+v", f)
			}
		}
	}
}

// The findings of an enhanced scan are in enhancedFindings, beside an empty list.
func TestEmptyFindingsWhenEnhanced(t *testing.T) {
	r := decode(t, `{"imageScanStatus":{"status":"ACTIVE"},"imageScanFindings":{"findings":[],"enhancedFindings":[
		{"severity":"CRITICAL","packageVulnerabilityDetails":{"vulnerabilityId":"CVE-2026-1"}}]}}`)
	if len(r.Findings) != 1 || r.Type != Enhanced {
		t.Errorf("%+v", r)
	}
}

func decode(t *testing.T, text string) Report {
	t.Helper()
	reports, err := Decode(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return Merge(reports...)
}

const page = `{"repositoryName":"app","imageId":{"imageTag":"1"},"imageScanStatus":{"status":"COMPLETE"},"imageScanFindings":{"findings":[{"name":"CVE-%","severity":"LOW"}]}, "nextToken":"@"}`

func pageOf(id, token string) string {
	text := strings.ReplaceAll(page, "%", id)
	if token == "" {
		return strings.ReplaceAll(text, `, "nextToken":"@"`, "")
	}
	return strings.ReplaceAll(text, "@", token)
}

func TestPages(t *testing.T) {
	for name, text := range map[string]string{
		"one after the other": pageOf("1", "a") + pageOf("2", "b") + "\n" + pageOf("3", ""),
		"in another order":    pageOf("3", "") + pageOf("2", "b") + pageOf("1", "a"),
		"a list":              "[" + pageOf("1", "a") + "," + pageOf("2", "b") + "," + pageOf("3", "") + "]",
	} {
		if r := decode(t, text); len(r.Findings) != 3 || r.Findings[0].ID != "CVE-1" {
			t.Errorf("%s: %+v", name, r.Findings)
		}
	}
	if r := decode(t, pageOf("1", "")+strings.ReplaceAll(pageOf("1", ""), "app", "other")); len(r.Children) != 2 {
		t.Errorf("two images: %+v", r)
	}
}

func TestPagesThatAreNotAll(t *testing.T) {
	for name, test := range map[string]struct {
		text, want string
		noResult   bool
	}{
		"the first page alone":          {pageOf("1", "a"), "findings of app:1: there is no scan result: they are incomplete, as nextToken names another page", true},
		"stopped by --max-items":        {strings.ReplaceAll(pageOf("1", "a"), "nextToken", "NextToken"), "they are incomplete", true},
		"a page twice":                  {pageOf("1", "a") + pageOf("1", "a") + pageOf("2", ""), "a page appears twice", false},
		"two scans of an image":         {pageOf("1", "") + pageOf("2", ""), "there are 2 scans of it", false},
		"a status that changed":         {pageOf("1", "a") + strings.ReplaceAll(pageOf("2", ""), "COMPLETE", "IN_PROGRESS"), "its status was COMPLETE on one page and IN_PROGRESS on another", true},
		"nothing":                       {"", "the input is empty", true},
		"the output of describe-images": {`{"imageDetails":[{"imageScanFindingsSummary":{}}]}`, "use aws ecr describe-image-scan-findings", false},
		"something else":                {`{"a":1}`, "neither imageScanStatus nor imageScanFindings", false},
		"no object":                     {`3`, "it is not a JSON object", false},
		"text":                          {"An error occurred (ScanNotFoundException)", "not the JSON of aws ecr describe-image-scan-findings", false},
		"cut off":                       {pageOf("1", "")[:50], "not the JSON", false},
		"a wrong digest":                {`{"imageId":{"imageDigest":"sha256:1"},"imageScanStatus":{"status":"ACTIVE"}}`, `digest "sha256:1"`, false},
		"a score that is none":          {`{"imageScanFindings":{"enhancedFindings":[{"score":11}]}}`, "11 is not between 0 and 10", false},
		"a negative count":              {`{"imageScanFindings":{"findingSeverityCounts":{"HIGH":-1}}}`, "-1 findings", false},
		"a time that is none":           {`{"imageScanFindings":{"imageScanCompletedAt":"yesterday"}}`, `"yesterday" is not a time`, false},
		"a time far away":               {`{"imageScanFindings":{"imageScanCompletedAt":1e300}}`, "is not a time", false},

		"complete without findings":   {`{"repositoryName":"app","imageId":{"imageTag":"1"},"imageScanStatus":{"status":"COMPLETE"}}`, "findings of app:1: there is no scan result: its status is COMPLETE, but imageScanFindings is missing", true},
		"active without findings":     {`{"imageScanStatus":{"status":"ACTIVE"}}`, "its status is ACTIVE, but imageScanFindings is missing", true},
		"findings that are null":      {`{"imageScanStatus":{"status":"ACTIVE"},"imageScanFindings":null}`, "imageScanFindings is missing", true},
		"findings that are empty":     {`{"imageScanStatus":{"status":"COMPLETE"},"imageScanFindings":{}}`, "imageScanFindings is missing", true},
		"findings of all but a page":  {pageOf("1", "a") + `{"repositoryName":"app","imageId":{"imageTag":"1"},"imageScanStatus":{"status":"COMPLETE"}}`, "imageScanFindings is missing", true},
		"findings twice":              {`{"imageScanStatus":{"status":"COMPLETE"},"imageScanFindings":{"findings":[{"severity":"CRITICAL"}]},"imageScanFindings":{"findings":[]}}`, `"imageScanFindings" appears twice`, false},
		"findings twice in two cases": {`{"imageScanStatus":{"status":"COMPLETE"},"imageScanFindings":{"findings":[{"severity":"CRITICAL"}]},"ImageScanFindings":{"findings":[]}}`, `"ImageScanFindings" appears twice`, false},
		"a severity twice":            {`{"imageScanFindings":{"findings":[{},{"severity":"CRITICAL","severity":"LOW"}]}}`, `imageScanFindings.findings[1]: "severity" appears twice`, false},
		"a severity twice, escaped":   {`{"imageScanFindings":{"findings":[{"severity":"CRITICAL","severit\u0079":"LOW"}]}}`, `"severity" appears twice`, false},
		"a status twice":              {`{"imageScanStatus":{"status":"FAILED","status":"COMPLETE"},"imageScanFindings":{"findings":[]}}`, `imageScanStatus: "status" appears twice`, false},
		"a next page taken back":      {strings.Replace(pageOf("1", "a"), "}", `},"nextToken":""`, 1), `"nextToken" appears twice`, false},
	} {
		_, err := Decode(strings.NewReader(test.text))
		if err == nil || !strings.Contains(err.Error(), test.want) || errors.Is(err, ErrNoResult) != test.noResult {
			t.Errorf("%s: %v; want %q, no result %v", name, err, test.want, test.noResult)
		}
	}
}

// What Amazon ECR says of an image in which nothing was found.
func TestCleanImages(t *testing.T) {
	for _, findings := range []string{
		`{"findings":[],"imageScanCompletedAt":1.7e9,"findingSeverityCounts":{}}`, `{"findings":[]}`, `{"enhancedFindings":[]}`,
		`{"findingSeverityCounts":{}}`, `{"imageScanCompletedAt":1.7e9}`,
	} {
		r := decode(t, `{"imageScanStatus":{"status":"COMPLETE"},"imageScanFindings":`+findings+`}`)
		if err := Gate(policy(t, "block: [{}]"), r, at).Err(); err != nil {
			t.Errorf("%s: %v", findings, err)
		}
	}
	// The keys of resource tags are data: their case counts.
	decode(t, `{"imageScanStatus":{"status":"ACTIVE"},"imageScanFindings":{"enhancedFindings":[{"resources":[{"tags":{"Name":"a","name":"b"}}]}]}}`)
}

// The AWS CLI prints times as text, and with cli_timestamp_format = wire as the API sends
// them.
func TestTimes(t *testing.T) {
	for text, want := range map[string]time.Time{
		`1579839105.0`:                       time.Unix(1579839105, 0),
		`1579839105.25`:                      time.Unix(1579839105, 250e6),
		`"2020-01-24T04:11:45+00:00"`:        time.Unix(1579839105, 0),
		`"2020-01-23T23:11:45.500000-05:00"`: time.Unix(1579839105, 500e6),
	} {
		var got Timestamp
		if err := json.Unmarshal([]byte(text), &got); err != nil || !got.Equal(want) {
			t.Errorf("%s: %v %v", text, got, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(pageOf("1", "a") + pageOf("2", ""))
	f.Add(`{"imageId":{"imageDigest":"sha256:` + strings.Repeat("a1", 32) + `"},"imageScanStatus":{"status":"ACTIVE"},"imageScanFindings":{
		"findingSeverityCounts":{"HIGH":1},"enhancedFindings":[{"title":"CVE-1 - a","severity":"HIGH","score":7.5,"fixAvailable":"YES",
		"packageVulnerabilityDetails":{"vulnerabilityId":"CVE-1","sourceUrl":"https://a/","vulnerablePackages":[{"name":"a","epoch":1,"version":"2","release":"3",
		"fixedInVersion":"4","filePath":"x","sourceLayerHash":"sha256:b"}]},"resources":[{"details":{"awsEcrContainerImage":{"inUseCount":1}}}]}]}}`)
	f.Add(`[{"imageScanFindings":{"enhancedFindings":[{}, null]}}]`)
	f.Add(`{"imageScanFindings":{"findings":[{"attributes":[{"key":"CVSS9_SCORE","value":"NaN"}]}],"imageScanCompletedAt":1e9}}`)
	policy, err := ParsePolicy(strings.NewReader("version: 1\nblock: [{severity: LOW}]\nignore: [{id: CVE-1, reason: x}]\n"))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		reports, err := Decode(strings.NewReader(text))
		if err != nil {
			return
		}
		v := Gate(policy, Merge(reports...), time.Unix(1.8e9, 0))
		for _, format := range Formats() {
			if err := v.Write(new(strings.Builder), format, WriteOptions{Columns: 80}); err != nil {
				t.Errorf("%s: %v", format, err)
			}
		}
	})
}
