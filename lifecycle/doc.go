// Package lifecycle reads, checks and evaluates the lifecycle policies of Amazon
// ECR, without an account and without a network: what a policy does with the images
// of a repository, now or at another time, and why.
//
//	policy, err := lifecycle.Parse(text)           // strict; all that is wrong at once
//	repository, err := lifecycle.ReadImages(file)  // of aws ecr describe-images
//	evaluation := lifecycle.Evaluate(policy, repository.Images, time.Now())
//	evaluation.Verdicts[0].Outcome                 // KEEP, EXPIRE or TRANSITION
//	evaluation.Reason(0)                           // in words
//
// Lint says what will surprise in a policy, Explain how each rule sees an image, Diff
// what changes between two policies, Compare where a preview of Amazon ECR itself does
// not agree; Plan writes policies.
//
// # How Amazon ECR evaluates
//
// All rules are evaluated at the same time, and then applied, the lowest priority
// number first. One rule or none acts on an image.
//
// A rule identifies the images of its storage class that meet its selection: any,
// those without tags, or those that have a tag for each of its patterns. The first
// rule that identifies an image is the only one that can act on it, also if it
// leaves it alone: it shields the image from all later rules. These count the image
// nevertheless.
//
// With imageCountMoreThan a rule acts on all but the newest of the images that it
// identifies, by the time when they were pushed, or last restored from the archive.
// With the other count types it acts on images whose time is longer ago than that
// many days of 24 hours: of sinceImagePushed when it was pushed; of sinceImagePulled
// when it was last pulled, or restored if it was not pulled since, or pushed if it
// was never pulled; of sinceImageTransitioned when it was archived.
//
// What an index (a manifest list) lists is not acted on until the index is gone or
// archived, and rules do not count it. A referrer, such as a signature, whose subject
// is in the repository follows its subject, and rules do not count it either; one
// whose subject is missing is an image as any other. An image that is being
// restored from the archive is left alone.
//
// The rules are those of
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/LifecyclePolicies.html.
// Three things are not written there: that the images of an index are not counted
// was seen in previews of Amazon ECR; that referrers are not counted, and the order
// of images of the same age (by digest), are choices of this package.
package lifecycle
