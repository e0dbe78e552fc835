package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
	"testing"

	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx/v2/common"
	"github.com/spdx/tools-golang/spdxlib"
)

// example are two programs as they are in an archive.
func example() []binary {
	settings := []debug.BuildSetting{{Key: "vcs.revision", Value: "0123456789012345678901234567890123456789"}, {Key: "vcs.modified", Value: "false"}}
	main := debug.Module{Path: "github.com/ecrkit/ecrkit", Version: "v1.2.3"}
	deps := []*debug.Module{
		{Path: "github.com/aws/aws-sdk-go-v2", Version: "v1.47.8", Sum: "h1:" + strings.Repeat("A", 43) + "="},
		{Path: "github.com/Docker/cli", Version: "v29.7.2+incompatible", Sum: "h1:" + strings.Repeat("B", 42) + "A="},
		{Path: "example.com/old", Version: "v1.0.0", Replace: &debug.Module{Path: "example.com/new", Version: "v1.1.0", Sum: "h1:" + strings.Repeat("C", 42) + "A="}},
	}
	return []binary{
		{"docker-credential-ecrkit", []byte("helper"), &debug.BuildInfo{GoVersion: "go1.26.8", Main: main, Settings: settings, Deps: deps[:1]}},
		{"ecrkit", []byte("command"), &debug.BuildInfo{GoVersion: "go1.26.8", Main: main, Settings: settings, Deps: deps}},
	}
}

func TestSBOM(t *testing.T) {
	archive := []byte("an archive")
	first, err := sbom("ecrkit_1.2.3_linux_amd64.tar.gz", archive, example(), modified)
	if err != nil {
		t.Fatal(err)
	}
	again, err := sbom("ecrkit_1.2.3_linux_amd64.tar.gz", archive, example(), modified)
	if err != nil || !bytes.Equal(first, again) {
		t.Errorf("the same archive has another SBOM: %v", err)
	}
	doc, err := spdxjson.Read(bytes.NewReader(first))
	if err != nil {
		t.Fatal(err)
	}
	if err := spdxlib.ValidateDocument(doc); err != nil {
		t.Error(err)
	}
	if doc.SPDXVersion != "SPDX-2.3" || doc.DataLicense != "CC0-1.0" || doc.CreationInfo.Created != "2026-11-22T01:02:04Z" {
		t.Errorf("got %+v, %+v", doc, doc.CreationInfo)
	}
	sum := sha256.Sum256(archive)
	if p := doc.Packages[0]; p.PackageVersion != "1.2.3" || p.PackageChecksums[0].Value != hex.EncodeToString(sum[:]) || !strings.HasSuffix(doc.DocumentNamespace, hex.EncodeToString(sum[:])) {
		t.Errorf("got %+v", p)
	}
	var purls []string
	for _, p := range doc.Packages {
		for _, r := range p.PackageExternalReferences {
			purls = append(purls, r.Locator)
		}
	}
	want := "pkg:golang/example.com/new@v1.1.0 pkg:golang/github.com/docker/cli@v29.7.2%2Bincompatible pkg:golang/github.com/aws/aws-sdk-go-v2@v1.47.8 pkg:golang/stdlib@1.26.8"
	if got := strings.Join(purls, " "); got != want {
		t.Errorf("modules %s\nwant %s", got, want)
	}
	// Each program depends on its own modules.
	depends := map[string]int{}
	for _, r := range doc.Relationships {
		depends[string(r.RefA.ElementRefID)+" "+r.Relationship]++
	}
	if depends["program-docker-credential-ecrkit "+common.TypeRelationshipDependsOn] != 2 || depends["program-ecrkit "+common.TypeRelationshipDependsOn] != 4 ||
		depends["archive "+common.TypeRelationshipContains] != 2 || depends["DOCUMENT "+common.TypeRelationshipDescribe] != 1 {
		t.Errorf("relationships %v", depends)
	}
	checkSPDX(t, first)
}

// checkSPDX has the rules of the SPDX 2.3 JSON schema for the members that are used, which the library
// does not check: https://github.com/spdx/spdx-spec/blob/v2.3/schemas/spdx-schema.json.
func checkSPDX(t *testing.T, data []byte) {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	need := func(where string, object map[string]any, members ...string) {
		for _, m := range members {
			if v, ok := object[m]; !ok || v == "" || v == nil {
				t.Errorf("%s has no %s", where, m)
			}
		}
	}
	id := regexp.MustCompile(`^SPDXRef-[a-zA-Z0-9.-]+$`)
	need("the document", doc, "SPDXID", "creationInfo", "dataLicense", "name", "spdxVersion", "documentNamespace")
	need("creationInfo", doc["creationInfo"].(map[string]any), "created", "creators")
	seen := map[any]bool{"SPDXRef-DOCUMENT": doc["SPDXID"] == "SPDXRef-DOCUMENT"}
	for _, p := range doc["packages"].([]any) {
		p := p.(map[string]any)
		need("a package", p, "SPDXID", "name", "downloadLocation", "versionInfo")
		if s, _ := p["SPDXID"].(string); !id.MatchString(s) || seen[s] {
			t.Errorf("the SPDXID %q is malformed or used twice", s)
		}
		if seen[p["SPDXID"]] = true; p["filesAnalyzed"] != false {
			t.Errorf("filesAnalyzed of %s is %v", p["name"], p["filesAnalyzed"])
		}
	}
	for _, r := range doc["relationships"].([]any) {
		r := r.(map[string]any)
		need("a relationship", r, "spdxElementId", "relatedSpdxElement", "relationshipType")
		if !seen[r["spdxElementId"]] || !seen[r["relatedSpdxElement"]] {
			t.Errorf("%v is about nothing in the document", r)
		}
	}
}

func TestProvenance(t *testing.T) {
	files := []file{{name: "a.tar.gz", data: []byte("a")}, {name: "a.tar.gz.spdx.json", data: []byte("b")}}
	s, err := provenance("https://example.com/builder", files, example())
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte("a"))
	if len(s.Subject) != 2 || s.Subject[0].Name != "a.tar.gz" || s.Subject[0].Digest["sha256"] != hex.EncodeToString(sum[:]) {
		t.Errorf("subjects %+v", s.Subject)
	}
	data, err := encode(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"_type": "https://in-toto.io/Statement/v1"`, `"predicateType": "https://slsa.dev/provenance/v1"`,
		`"id": "https://example.com/builder"`, `"source": "git+https://github.com/ecrkit/ecrkit@0123456789012345678901234567890123456789"`,
		`"gitCommit": "0123456789012345678901234567890123456789"`, `"modified": false`, `"version": "1.2.3"`, `"go": "go1.26.8"`,
		`"uri": "pkg:golang/stdlib@1.26.8"`, `"dirHash": "` + strings.Repeat("0", 64) + `"`,
	} {
		if !bytes.Contains(data, []byte(want)) {
			t.Errorf("%s is missing in %s", want, data)
		}
	}
	if n := len(s.Predicate.BuildDefinition.ResolvedDependencies); n != 5 { // the source, and four modules, each once
		t.Errorf("%d materials", n)
	}
	broken := example()
	broken[1].info.Deps[0].Sum = "h2:AAAA"
	if _, err := provenance("x", files, broken); err == nil || !strings.Contains(err.Error(), "aws-sdk-go-v2") {
		t.Errorf("got %v", err)
	}
}

// SHA256SUMS covers every file, and no signature of earlier files stays.
func TestWriteRelease(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"SHA256SUMS.sig", "SHA256SUMS.sigstore.json", "p.json.sigstore.json"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files := []file{{name: "p.json", data: []byte("p")}, {name: "a.tar.gz", data: []byte("a")}}
	if err := writeRelease(dir, files); err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile(filepath.Join(dir, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	a, p := sha256.Sum256([]byte("a")), sha256.Sum256([]byte("p"))
	if want := hex.EncodeToString(a[:]) + "  a.tar.gz\n" + hex.EncodeToString(p[:]) + "  p.json\n"; string(sums) != want {
		t.Errorf("got %s, want %s", sums, want)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 3 {
		t.Errorf("got %v, %v", entries, err)
	}
}
