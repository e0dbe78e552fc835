package scan_test

import (
	"errors"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"github.com/ecrkit/ecrkit/scan"
)

// What aws ecr describe-image-scan-findings prints.
const findings = `{
  "repositoryName": "team/app", "imageId": {"imageTag": "1.2"}, "imageScanStatus": {"status": "COMPLETE"},
  "imageScanFindings": {"findingSeverityCounts": {"CRITICAL": 1, "LOW": 1}, "findings": [
    {"name": "CVE-2026-1", "severity": "CRITICAL", "attributes": [{"key": "package_name", "value": "openssl"}, {"key": "package_version", "value": "1.1.1"}]},
    {"name": "CVE-2026-2", "severity": "LOW", "attributes": [{"key": "package_name", "value": "bash"}, {"key": "package_version", "value": "5.1"}]}
  ]}
}`

const policyText = `
version: 1
block:
  - severity: HIGH
`

// Check the findings of an image against a policy.
func ExampleGate() {
	reports, err := scan.Decode(strings.NewReader(findings))
	if err != nil {
		log.Fatal(err)
	}
	policy, err := scan.ParsePolicy(strings.NewReader(policyText))
	if err != nil {
		log.Fatal(err)
	}
	verdict := scan.Gate(policy, scan.Merge(reports...), time.Now())
	switch err := verdict.Err(); {
	case errors.Is(err, scan.ErrGate):
		fmt.Println("blocked:", err)
	case errors.Is(err, scan.ErrNoResult):
		fmt.Println("no result:", err)
	}
	// Output:
	// blocked: the gate failed: team/app:1.2: 1 finding blocks
}

// Read findings, and report them without a policy.
func ExampleDecode() {
	reports, err := scan.Decode(strings.NewReader(findings))
	if err != nil {
		log.Fatal(err)
	}
	verdict := scan.ListFindings(scan.Merge(reports...), time.Now())
	if err := verdict.Write(os.Stdout, scan.FormatTable, scan.WriteOptions{Columns: 80}); err != nil {
		log.Fatal(err)
	}
	// Output:
	// team/app:1.2
	// Scan:      basic, COMPLETE
	// Findings:  1 CRITICAL, 1 LOW
	//
	// SEVERITY  ID          PACKAGE  INSTALLED
	// CRITICAL  CVE-2026-1  openssl  1.1.1
	// LOW       CVE-2026-2  bash     5.1
}
