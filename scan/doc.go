// Package scan reads what Amazon ECR found in an image, judges it by a policy and
// reports it. It calls nothing: findings come as the pages of
// DescribeImageScanFindings, from a file or from a client.
//
//	reports, err := scan.Decode(file)                 // aws ecr describe-image-scan-findings
//	policy, err := scan.ParsePolicy(policyFile)
//	verdict := scan.Gate(policy, scan.Together(reports...), time.Now())
//	err = verdict.Write(out, scan.FormatMarkdown, scan.WriteOptions{})
//	return verdict.Err()                              // wraps ErrGate or ErrNoResult
//
// # One model
//
// A [Finding] is the same for basic scanning and for enhanced scanning by Amazon
// Inspector; what a scan does not say is unknown in it, which is not «no». A
// [Report] is one image, or an index with its images as children: ECR scans no
// index, so an index is as good as the worst of its images.
//
// # Fail closed
//
// A gate passes if it has seen findings and none of them blocks. A scan that
// failed, was never made, has not ended or is not complete here is no result
// ([ErrNoResult]), which is something else than a gate that failed ([ErrGate]).
// What a scan does not know never lets a finding pass: where the policy blocks what
// has a fix, an unknown fix blocks too.
package scan
