package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
)

const visibleHelp = `--wait-visible waits until Amazon ECR lists the image: at times DescribeImages and services that
use it do not know an image for some seconds after it was pushed.`

const (
	visibleTime = time.Minute            // of --wait-visible without a value
	visibleStep = 200 * time.Millisecond // between the first two looks; then it doubles
	visibleMax  = 5 * time.Second        // between two looks
)

func (c *copying) addVisibleFlag(cmd *cobra.Command) {
	timeVar(cmd.Flags(), &c.visible, "wait-visible", 0, "wait up to `TIME` until Amazon ECR lists the image (without TIME: 1m)")
	cmd.Flags().Lookup("wait-visible").NoOptDefVal = visibleTime.String()
}

// afterCopy does what is asked for when an image has arrived at d: it waits until it is
// listed, and reads its digest by its tags again.
func (c *copying) afterCopy(ctx context.Context, d transfer.Destination, r transfer.Result) error {
	if c.visible > 0 {
		if describer, ok := d.Target.(content.ImageDescriber); ok {
			end, err := c.app.waiting(fmt.Sprintf("Amazon ECR to list %s@%s", d.Target, r.Digest), c.visible)
			if err != nil {
				return err
			}
			err = waitVisible(ctx, describer, r.Digest, c.visible)
			end()
			if err != nil {
				return fmt.Errorf("%s: %w", d.Target, err)
			}
		}
	}
	if c.assert == "" {
		return nil
	}
	return assertDigest(ctx, d, digest.Digest(c.assert))
}

// waitVisible returns when the image is listed.
func waitVisible(ctx context.Context, repository content.ImageDescriber, d digest.Digest, limit time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("image %s was stored, but is not listed after %v", d, limit))
	defer cancel()
	for step := visibleStep; ; step = min(2*step, visibleMax) {
		_, err := repository.DescribeImage(ctx, d)
		switch {
		case context.Cause(ctx) != nil:
			return context.Cause(ctx)
		case err == nil || !errors.Is(err, content.ErrNotFound):
			return err
		}
		select {
		case <-time.After(step):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// assertDigest reads the tags of a destination again, where it can be read.
func assertDigest(ctx context.Context, d transfer.Destination, want digest.Digest) error {
	source, ok := d.Target.(content.Source)
	if !ok {
		return nil
	}
	for _, tag := range d.Tags {
		m, err := source.Resolve(ctx, tag)
		if err != nil {
			return err
		}
		if got := m.Descriptor.Digest; got != want {
			return fmt.Errorf("%s: %w: after the copy tag %s names %s, not %s", d.Target, content.ErrIntegrity, tag, got, want)
		}
	}
	return nil
}

// checkAssert refuses what is no digest.
func (c *copying) checkAssert() error {
	if c.assert == "" {
		return nil
	}
	if err := digest.Digest(c.assert).Validate(); err != nil {
		return usagef("--assert-digest %s: %w; write sha256: and 64 hexadecimal digits in lower case", c.assert, err)
	}
	return nil
}
