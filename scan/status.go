package scan

import "slices"

// Status is the state of a scan, in the words of ScanStatus.
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageScanStatus.html
type Status string

// The states. Complete is the end of a basic scan; Active is that of an enhanced one,
// whose findings are kept up to date from then on.
const (
	StatusComplete            Status = "COMPLETE"
	StatusActive              Status = "ACTIVE"
	StatusInProgress          Status = "IN_PROGRESS"
	StatusPending             Status = "PENDING"
	StatusFailed              Status = "FAILED"
	StatusUnsupportedImage    Status = "UNSUPPORTED_IMAGE"
	StatusEligibilityExpired  Status = "SCAN_ELIGIBILITY_EXPIRED"
	StatusFindingsUnavailable Status = "FINDINGS_UNAVAILABLE"
	StatusLimitExceeded       Status = "LIMIT_EXCEEDED"
	StatusImageArchived       Status = "IMAGE_ARCHIVED"
)

// Done reports whether there are findings to judge, perhaps none.
func (s Status) Done() bool { return s == StatusComplete || s == StatusActive }

// Waiting reports whether the scan is not complete: there will be another status.
func (s Status) Waiting() bool { return s == StatusInProgress || s == StatusPending }

// Acceptable reports whether a policy may accept this status by its name: the scan has ended,
// without findings to rely on.
func (s Status) Acceptable() bool {
	return slices.Contains(acceptableStatuses(), s)
}

func acceptableStatuses() []Status {
	return []Status{
		StatusFailed, StatusUnsupportedImage, StatusEligibilityExpired,
		StatusFindingsUnavailable, StatusLimitExceeded, StatusImageArchived,
	}
}

// Explain returns a sentence with the meaning of a status and what to do about it.
func (s Status) Explain() string {
	switch s {
	case StatusComplete:
		return "the scan is complete"
	case StatusActive:
		return "the image is scanned continuously and its findings are up to date"
	case StatusInProgress:
		return "the scan is running; ask again"
	case StatusPending:
		return "the scan is pending; ask again"
	case StatusFailed:
		return "the scan failed; a basic scan can be repeated once in 24 hours, or push the image again"
	case StatusUnsupportedImage:
		return "the image cannot be scanned: its operating system or media type is not supported"
	case StatusEligibilityExpired:
		return "the image was pushed too long ago to be scanned; push it again, or increase the re-scan duration of Amazon Inspector"
	case StatusFindingsUnavailable:
		return "the findings are not available; make sure that Amazon Inspector is enabled for the account and the region"
	case StatusLimitExceeded:
		return "the limit of scans is reached; basic scanning allows one of an image in 24 hours"
	case StatusImageArchived:
		return "the image is archived; restore it, and it is scanned"
	case "":
		return "the image was never scanned, or its status was left out"
	}
	return "this status is not known; a newer version may know it"
}
