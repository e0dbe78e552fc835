package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/internal/governance"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

const signingStatusHelp = `Show how far the managed signing of an image is.

  ecrkit signing status 123456789012.dkr.ecr.us-east-1.amazonaws.com/prod/app:1.2
  ecrkit signing status HOST/prod/app@sha256:0123... --wait --timeout 2m

An image gets a status for each signing profile whose rule its repository matched when it
was pushed: IN_PROGRESS, then COMPLETE or FAILED with a code and a reason. What was
pushed before the rule, and what is no image (a signature, an SBOM), gets none.

--wait looks again, every second at first and then less often, until no profile is in
progress, but not longer than --timeout. A tag is resolved once.

Exit codes: 0 signed by every profile, or without --wait still in progress; 4 signing has
failed, or no rule matched, so that the image is not signed; 1 still in progress when the
time was over, or another failure.

It shows the signing status that Amazon ECR reports. It does not verify a signature: that
takes the Notation CLI with the plugin of AWS Signer.

Prints the profiles with their status, or with --output json one object: reference, digest,
state (COMPLETE, IN_PROGRESS, FAILED, NONE), signingStatuses (signingProfileArn, status,
failureCode, failureReason). Needs ecr:DescribeImageSigningStatus.`

// signingStatusFlags are the flags of `ecrkit signing status`.
type signingStatusFlags struct {
	wait    bool
	timeout time.Duration
}

// signingStatus is the JSON form of what it prints.
type signingStatus struct {
	Reference string `json:"reference"`
	governance.ImageSigning
}

func newSigningStatusCommand(app *App) *cobra.Command {
	var f signingStatusFlags
	cmd := &cobra.Command{
		Use:   "status REF",
		Short: "Show how far the managed signing of an image is",
		Long:  signingStatusHelp,
		Args:  arguments(0, "REF"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("timeout") && !f.wait {
				return usagef("--timeout needs --wait")
			}
			return app.signingStatus(cmd.Context(), args[0], f)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.wait, "wait", false, "wait until no profile is in progress")
	timeVar(flags, &f.timeout, "timeout", 5*time.Minute, "how long to wait at most")
	return cmd
}

func (app *App) signingStatus(ctx context.Context, name string, f signingStatusFlags) error {
	if f.timeout <= 0 {
		return usagef("--timeout must be more than 0")
	}
	reference, err := app.parseReference(name)
	if err != nil {
		return err
	}
	if reference = withLatest(reference); reference.Kind != ref.KindECR {
		return usagef("%s is no image in Amazon ECR, which alone has managed signing", name)
	}
	r, err := app.governanceOf(ctx, reference.Registry)
	if err != nil {
		return err
	}
	image := content.ImageName{Tag: reference.Tag, Digest: reference.Digest}
	var signing governance.ImageSigning
	if f.wait {
		end, waitErr := app.waiting("the signing of "+reference.String(), f.timeout)
		if waitErr != nil {
			return waitErr
		}
		signing, err = r.WaitSigned(ctx, reference.Repository, image, f.timeout)
		end()
	} else {
		signing, err = r.SigningStatus(ctx, reference.Repository, image)
	}
	if err != nil && !errors.Is(err, governance.ErrSigningUnfinished) {
		return err
	}
	t := table{header: []string{"SIGNING PROFILE", "STATUS", "FAILURE"}, wrap: true}
	for _, s := range signing.Statuses {
		failure := strings.TrimSuffix(strings.Join([]string{s.FailureCode, s.FailureReason}, ": "), ": ")
		t.add(s.Profile, s.Status, failure)
	}
	var text strings.Builder
	if err := t.print(&text, app.columns()); err != nil {
		return err
	}
	if err := app.PrintResult(signingStatus{reference.String(), signing}, text.String()); err != nil {
		return err
	}
	switch {
	case err != nil:
		return err
	case signing.State == governance.SigningNone:
		return fmt.Errorf("%s: %w; %s", reference, signing.Err(), whyUnsigned(ctx, r, reference.Repository))
	case signing.Err() != nil:
		return fmt.Errorf("%s: %w", reference, signing.Err())
	}
	return nil
}

// whyUnsigned describes what the current rules say about an image without a status, as
// far as they can be read.
func whyUnsigned(ctx context.Context, r *governance.Registry, repository string) string {
	c, err := r.SigningConfiguration(ctx)
	switch {
	case errors.Is(err, governance.ErrNoSigningConfiguration):
		return fmt.Sprintf("managed signing is not configured in %s; `ecrkit signing add-rule` turns it on, for images that are pushed then", r)
	case err != nil:
		return "see the rules with `ecrkit signing get`"
	}
	if profiles := c.Profiles(repository); len(profiles) > 0 {
		return fmt.Sprintf("today %s would sign it: delete the image and push it again", strings.Join(profiles, " and "))
	}
	return fmt.Sprintf("no rule of %s matches repository %s today either; see `ecrkit signing add-rule`", r, repository)
}
