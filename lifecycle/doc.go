// Package lifecycle reads, checks and evaluates lifecycle policies of Amazon ECR: what
// a policy does with the images of a repository, now or at another time, and why. It
// needs neither an AWS account nor a network.
//
//	policy, err := lifecycle.Parse(text)           // strict; reports all errors at once
//	repository, err := lifecycle.ReadImages(file)  // from aws ecr describe-images
//	evaluation := lifecycle.Evaluate(policy, repository.Images, time.Now())
//	evaluation.Verdicts[0].Outcome                 // KEEP, EXPIRE or TRANSITION
//	evaluation.Reason(0)                           // in words
//
// [Lint] reports what may surprise in a policy, [Evaluation.Explain] how each rule treats
// an image, [Diff] what changes between two policies, and [Evaluation.Compare] where a
// preview by Amazon ECR disagrees. [Retention] writes policies.
//
// # How Amazon ECR evaluates
//
// All rules are evaluated at the same time, and then applied, the lowest priority
// number first. At most one rule acts on an image.
//
// A rule identifies the images of its storage class that meet its selection: any,
// those without tags, or those that have a tag for each of its patterns. The first
// rule that identifies an image is the only one that can act on it, also if it
// leaves it alone: it shields the image from all later rules. These count the image
// anyway.
//
// With imageCountMoreThan a rule acts on all but the newest of the images that it
// identifies, by the time when they were pushed, or last restored from the archive.
// With the other count types it acts on images whose time is longer ago than that
// many days of 24 hours: of sinceImagePushed when it was pushed; of sinceImagePulled
// when it was last pulled, or restored if it was not pulled since, or pushed if it
// was never pulled; of sinceImageTransitioned when it was archived.
//
// No rule acts on or counts the images that an index (a manifest list) lists, until the
// index is deleted or archived. A referrer, such as a signature, whose subject
// is in the repository follows its subject, and rules do not count it either; one
// whose subject is missing is an image as any other. An image that is being
// restored from the archive is left alone.
//
// The rules are those of
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/LifecyclePolicies.html.
// They leave three things open. That the images of an index are not counted was seen in
// previews by Amazon ECR. That referrers are not counted, and that images of the same age
// are ordered by digest, are choices of this package.
package lifecycle
