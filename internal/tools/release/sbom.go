package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"path"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx/v2/common"
	"github.com/spdx/tools-golang/spdx/v2/v2_3"

	"github.com/ecrkit/ecrkit/internal/tools/commit"
)

// A binary is a program of an archive, and what Go noted in it when it was built.
type binary struct {
	name string
	data []byte
	info *debug.BuildInfo
}

// sbom returns the bill of materials of an archive in SPDX 2.3, as JSON: the archive, the programs in
// it, and the Go modules and the standard library that each program was built from
// (https://spdx.github.io/spdx-spec/v2.3/). Licenses of modules are not looked up.
func sbom(archiveName string, archive []byte, binaries []binary, created time.Time) ([]byte, error) {
	sum := sha256.Sum256(archive)
	main := newPackage("archive", archiveName, commit.Version(binaries[0].info))
	main.PackageFileName, main.PackageChecksums = archiveName, checksums(archive)
	main.PackageLicenseDeclared, main.PrimaryPackagePurpose = "Apache-2.0", "ARCHIVE"
	doc := &v2_3.Document{
		SPDXVersion:    v2_3.Version,
		DataLicense:    v2_3.DataLicense,
		SPDXIdentifier: "DOCUMENT",
		DocumentName:   archiveName,
		// It must be unique, and the same for the same archive.
		DocumentNamespace: repository + "/spdx/" + archiveName + "-" + hex.EncodeToString(sum[:]),
		CreationInfo: &v2_3.CreationInfo{
			Creators: []common.Creator{{CreatorType: "Tool", Creator: "ecrkit-release"}},
			Created:  created.UTC().Format(time.RFC3339),
		},
		Packages:      []*v2_3.Package{main},
		Relationships: []*v2_3.Relationship{related("DOCUMENT", common.TypeRelationshipDescribe, "archive")},
	}
	modules := map[common.ElementID]*v2_3.Package{}
	for _, b := range binaries {
		program := newPackage("program-"+b.name, b.name, commit.Version(b.info))
		program.PackageFileName, program.PackageChecksums = b.name, checksums(b.data)
		program.PackageLicenseDeclared, program.PrimaryPackagePurpose = "Apache-2.0", "APPLICATION"
		doc.Packages = append(doc.Packages, program)
		doc.Relationships = append(doc.Relationships, related("archive", common.TypeRelationshipContains, program.PackageSPDXIdentifier))
		for _, m := range materials(b.info) {
			p := newPackage("module-"+m.Path, m.Path, m.Version)
			p.PrimaryPackagePurpose = "LIBRARY"
			p.PackageExternalReferences = []*v2_3.PackageExternalReference{{
				Category: common.CategoryPackageManager, RefType: common.TypePackageManagerPURL, Locator: purl(m),
			}}
			modules[p.PackageSPDXIdentifier] = p
			doc.Relationships = append(doc.Relationships, related(program.PackageSPDXIdentifier, common.TypeRelationshipDependsOn, p.PackageSPDXIdentifier))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(modules)) {
		doc.Packages = append(doc.Packages, modules[id])
	}
	var out bytes.Buffer
	err := spdxjson.Write(doc, &out, spdxjson.Indent("  "), spdxjson.EscapeHTML(false))
	return out.Bytes(), err
}

// newPackage returns a package whose license and origin are not stated.
func newPackage(id, name, version string) *v2_3.Package {
	return &v2_3.Package{
		PackageName: name, PackageSPDXIdentifier: elementID(id), PackageVersion: version,
		PackageDownloadLocation: "NOASSERTION", PackageLicenseConcluded: "NOASSERTION",
		PackageLicenseDeclared: "NOASSERTION", PackageCopyrightText: "NOASSERTION", IsFilesAnalyzedTagPresent: true,
	}
}

// elementID returns text as the rules for identifiers demand it: letters, digits, dots and hyphens.
func elementID(text string) common.ElementID {
	return common.ElementID(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' {
			return r
		}
		return '-'
	}, text))
}

func related(a common.ElementID, kind string, b common.ElementID) *v2_3.Relationship {
	return &v2_3.Relationship{RefA: common.MakeDocElementID("", string(a)), RefB: common.MakeDocElementID("", string(b)), Relationship: kind}
}

func checksums(data []byte) []common.Checksum {
	sum := sha256.Sum256(data)
	return []common.Checksum{{Algorithm: common.SHA256, Value: hex.EncodeToString(sum[:])}}
}

// materials are the modules that a program was built from, and the standard library, in order.
func materials(info *debug.BuildInfo) []debug.Module {
	list := []debug.Module{{Path: "stdlib", Version: strings.TrimPrefix(info.GoVersion, "go")}}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		list = append(list, *m)
	}
	slices.SortFunc(list, func(a, b debug.Module) int { return cmp.Compare(a.Path, b.Path) })
	return list
}

// purl is the package URL of a module:
// https://github.com/package-url/purl-spec/blob/main/types-doc/golang-definition.md.
func purl(m debug.Module) string {
	return fmt.Sprintf("pkg:golang/%s@%s", strings.ToLower(path.Clean(m.Path)), strings.ReplaceAll(m.Version, "+", "%2B"))
}
