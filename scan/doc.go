// Package scan reads the vulnerabilities that Amazon ECR found in images, judges them by
// a policy and reports them. It makes no calls: findings come as the pages of
// DescribeImageScanFindings, from a file or from a client.
//
//	reports, err := scan.Decode(file)                 // aws ecr describe-image-scan-findings
//	policy, err := scan.ParsePolicy(policyFile)
//	verdict := scan.Gate(policy, scan.Merge(reports...), time.Now())
//	err = verdict.Write(out, scan.FormatMarkdown, scan.WriteOptions{})
//	return verdict.Err()                              // wraps ErrGate or ErrNoResult
//
// # One model
//
// A [Finding] has the same form for basic scanning and for enhanced scanning by Amazon
// Inspector. What a scan does not report is unknown, which is not the same as "no". A
// [Report] is about one image, or about an index with its images as children. Amazon ECR
// does not scan an index, so an index is as good as the worst of its images.
//
// # Fail closed
//
// A gate passes if it has seen the findings of a scan, perhaps none, and none of them
// blocks. A scan that failed, was never made, is not complete or whose findings are
// incomplete has no result ([ErrNoResult]), which is not the same as a gate that failed
// ([ErrGate]). Missing information never lets a finding pass: where the policy blocks
// what has a fix, an unknown fix blocks too.
package scan
