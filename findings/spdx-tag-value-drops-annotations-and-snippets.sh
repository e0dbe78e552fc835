#!/usr/bin/env bash
# SPDX's Go package reads an SBOM from JSON and writes it as tag-value without the annotations of packages and files, and
# without snippets.
#
# Guess:   a conversion from JSON to tag-value keeps what both formats have.
# Because: SPDX 2.3 defines both for the same model, the package reads annotations and snippets from tag-value, its writer
#          has code for both, and annotations of the document are kept.
# Really:  in JSON, annotations are inside of the package or file that they are about, and snippets beside the files. The
#          writer looks at the document's own annotations, and at snippets that the reader of tag-value put below a file.
#          All else is not written: no error, and the result is valid. A reviewer's note on a package ("not affected",
#          "license checked") is gone. In the other direction, snippets get lost.
# Seen:    2026-12-01, Go 1.26.8, spdx/tools-golang v0.5.7
# Output:  JSON: annotations 3, snippets 1
#          JSON to JSON: annotations 3, snippets 1
#          JSON to tag-value: annotations 1, snippets 0
#          tag-value with a note and a snippet: annotations 2, snippets 1
#          tag-value to tag-value: annotations 2, snippets 1
#          tag-value to JSON: annotations 2, snippets 0
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > go.mod <<'EOM'
module finding

go 1.26

require github.com/spdx/tools-golang v0.5.7
EOM
cat > sbom.json <<'EOM'
{
  "spdxVersion": "SPDX-2.3",
  "dataLicense": "CC0-1.0",
  "SPDXID": "SPDXRef-DOCUMENT",
  "name": "app",
  "documentNamespace": "https://example.com/app",
  "creationInfo": {"created": "2026-12-01T00:00:00Z", "creators": ["Tool: example-1"]},
  "documentDescribes": ["SPDXRef-app"],
  "annotations": [
    {"annotator": "Tool: example-1", "annotationType": "OTHER", "annotationDate": "2026-12-01T00:00:00Z", "comment": "on the document"}
  ],
  "packages": [{
    "SPDXID": "SPDXRef-app", "name": "app", "downloadLocation": "NOASSERTION", "filesAnalyzed": false,
    "annotations": [
      {"annotator": "Person: Reviewer", "annotationType": "REVIEW", "annotationDate": "2026-12-01T00:00:00Z", "comment": "on the package"}
    ]
  }],
  "files": [{
    "SPDXID": "SPDXRef-file", "fileName": "./app.js", "licenseConcluded": "MIT", "copyrightText": "NOASSERTION",
    "checksums": [{"algorithm": "SHA1", "checksumValue": "da39a3ee5e6b4b0d3255bfef95601890afd80709"}],
    "annotations": [
      {"annotator": "Person: Reviewer", "annotationType": "REVIEW", "annotationDate": "2026-12-01T00:00:00Z", "comment": "on the file"}
    ]
  }],
  "snippets": [{
    "SPDXID": "SPDXRef-snippet", "snippetFromFile": "SPDXRef-file", "licenseConcluded": "MIT", "copyrightText": "NOASSERTION",
    "ranges": [{"startPointer": {"offset": 1, "reference": "SPDXRef-file"}, "endPointer": {"offset": 9, "reference": "SPDXRef-file"}}]
  }]
}
EOM
cat > by-hand <<'EOM'
Annotator: Person: Reviewer
AnnotationDate: 2026-12-01T00:00:00Z
AnnotationType: REVIEW
SPDXREF: SPDXRef-app
AnnotationComment: on the package

SnippetSPDXID: SPDXRef-snippet
SnippetFromFileSPDXID: SPDXRef-file
SnippetByteRange: 1:9
SnippetLicenseConcluded: MIT
SnippetCopyrightText: NOASSERTION
EOM
cat > main.go <<'EOM'
package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx"
	"github.com/spdx/tools-golang/tagvalue"
)

func want(what string, got, want any) {
	fmt.Printf("%s: %v\n", what, got)
	if fmt.Sprint(got) != fmt.Sprint(want) {
		fmt.Println("CHANGED, expected:", want)
		os.Exit(1)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func count(text, annotation, snippet string) string {
	return fmt.Sprintf("annotations %d, snippets %d", strings.Count(text, annotation), strings.Count(text, snippet))
}

func asJSON(document *spdx.Document) string {
	var out bytes.Buffer
	must(0, json.Write(document, &out))
	return count(out.String(), `"annotator"`, `"SPDXRef-snippet"`)
}

func asTagValue(document *spdx.Document) (counted, text string) {
	var out bytes.Buffer
	must(0, tagvalue.Write(document, &out))
	return count(out.String(), "Annotator:", "SnippetSPDXID:"), out.String()
}

func main() {
	input := must(os.ReadFile("sbom.json"))
	want("JSON", count(string(input), `"annotator"`, `"SPDXRef-snippet"`), "annotations 3, snippets 1")
	document := must(json.Read(bytes.NewReader(input)))
	want("JSON to JSON", asJSON(document), "annotations 3, snippets 1")
	counted, text := asTagValue(document)
	want("JSON to tag-value", counted, "annotations 1, snippets 0")

	// The same text, with a note on the package and the snippet behind its file.
	text = strings.Replace(text, "##### Package:", string(must(os.ReadFile("by-hand")))+"\n##### Package:", 1)
	want("tag-value with a note and a snippet", count(text, "Annotator:", "SnippetSPDXID:"), "annotations 2, snippets 1")
	read := must(tagvalue.Read(strings.NewReader(text)))
	counted, _ = asTagValue(read)
	want("tag-value to tag-value", counted, "annotations 2, snippets 1")
	want("tag-value to JSON", asJSON(read), "annotations 2, snippets 0")
}
EOM
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
