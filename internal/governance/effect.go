package governance

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ecrkit/ecrkit/lifecycle"
)

// LifecycleDelay is the time within which Amazon ECR applies a lifecycle policy, and in
// which images come of age for it:
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/LifecyclePolicies.html.
const LifecycleDelay = 24 * time.Hour

// LifecycleEffect is what a lifecycle policy would do with the images that a repository
// has, beside what its present one does.
type LifecycleEffect struct {
	Inventory lifecycle.Inventory
	// Present is the text of the present policy, "" if there is none, and PresentErr why
	// it cannot be read; it then counts as none.
	Present    string
	PresentErr error
	// Policy is the one that is meant, and Before and After what the present one and that
	// do, both at the same time.
	Policy        *lifecycle.Policy
	Before, After lifecycle.Evaluation
}

// LifecycleEffect reads the present policy and all images of a repository now, and says
// what policy would do at a time: that of the call, or up to [LifecycleDelay] later to
// see what is first done at the latest. nil is no policy. Whoever puts a policy
// asks this before, and puts none if it fails. With manifests that are not read it shows
// more images than Amazon ECR acts on, and never fewer.
func (r *Registry) LifecycleEffect(ctx context.Context, repository string, policy *lifecycle.Policy, at time.Time, manifests Manifests) (LifecycleEffect, error) {
	if policy == nil {
		policy = &lifecycle.Policy{}
	}
	e := LifecycleEffect{Policy: policy}
	present, err := r.LifecyclePolicy(ctx, repository)
	if err != nil && !errors.Is(err, ErrNoLifecyclePolicy) {
		return e, err
	}
	e.Present = present
	before := &lifecycle.Policy{}
	if present != "" {
		before, err = lifecycle.Parse([]byte(present))
		if err != nil {
			e.PresentErr = fmt.Errorf("the present %s cannot be read: %w", r.lifecycleObject(repository), err)
			before = &lifecycle.Policy{}
		}
	}
	if e.Inventory, err = r.Images(ctx, repository, manifests.For(policy, before)); err != nil {
		return e, err
	}
	e.Before = lifecycle.Evaluate(before, e.Inventory.Images, at)
	e.After = lifecycle.Evaluate(policy, e.Inventory.Images, at)
	return e, nil
}

// Difference is what the policy does that the present one does not, and the other way
// round.
func (e LifecycleEffect) Difference() lifecycle.Difference { return lifecycle.Diff(e.Before, e.After) }

// Same reports whether the repository has this policy already.
func (e LifecycleEffect) Same(text string) bool {
	return e.Present != "" && SameLifecyclePolicy([]byte(e.Present), []byte(text))
}
