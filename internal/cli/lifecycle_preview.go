package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/lifecycle"
)

const lifecyclePreviewHelp = `Have Amazon ECR itself preview a lifecycle policy, and compare it with the evaluation by ecrkit.

  ecrkit lifecycle preview HOST/team/app
  ecrkit lifecycle preview team/app --policy policy.json --output json

Without --policy it is the policy that the repository has. Amazon ECR takes seconds to
minutes for a preview (--timeout), and makes one of a repository at a time. Nothing is
deleted.

Prints what ecrkit lifecycle evaluate prints, with the differences between the two. If
there is one, the exit code is 1. Where the policy counts from pulls, indexes are not
read unless --manifests indexes says so, and what they keep can then differ. Needs
ecr:StartLifecyclePolicyPreview, ecr:GetLifecyclePolicyPreview, ecr:DescribeImages and
ecr:BatchGetImage.`

// lifecyclePreviewFlags are the flags of `ecrkit lifecycle preview`.
type lifecyclePreviewFlags struct {
	policy    string
	timeout   time.Duration
	manifests manifestsFlag
	all       bool
}

func newLifecyclePreviewCommand(app *App) *cobra.Command {
	var f lifecyclePreviewFlags
	cmd := &cobra.Command{
		Use:   "preview REPO [--policy FILE]",
		Short: "Have Amazon ECR preview a policy, and compare",
		Long:  lifecyclePreviewHelp,
		Args:  arguments(0, "REPO"),
		RunE:  func(cmd *cobra.Command, args []string) error { return app.previewLifecycle(cmd.Context(), args[0], f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.policy, "policy", "", "`file` of the policy, - for stdin (default the repository's own)")
	timeVar(flags, &f.timeout, "timeout", 10*time.Minute, "how long to wait for the preview")
	addManifestsFlag(cmd, &f.manifests)
	flags.BoolVar(&f.all, "all", false, "also show the images that stay")
	return cmd
}

func (app *App) previewLifecycle(ctx context.Context, name string, f lifecyclePreviewFlags) error {
	if f.timeout <= 0 {
		return usagef("--timeout must be more than 0")
	}
	var text string
	if f.policy != "" {
		var err error
		if text, _, err = app.lintedPolicy(f.policy); err != nil {
			return err
		}
	}
	registry, reference, err := app.openGoverned(ctx, name)
	if err != nil {
		return err
	}
	at := app.Now()
	end, err := app.waiting("the preview of the lifecycle policy of "+name, f.timeout)
	if err != nil {
		return err
	}
	preview, text, err := registry.LifecyclePreview(ctx, reference.Repository, text, f.timeout)
	end()
	if err != nil {
		return err
	}
	policy, err := lifecycle.Parse([]byte(text))
	if err != nil {
		return err
	}
	in := evaluationInput{policies: []*lifecycle.Policy{policy}, at: at, live: true}
	if in.inventory, err = registry.Images(ctx, reference.Repository, f.manifests.For(policy)); err != nil {
		return err
	}
	e := lifecycle.Evaluate(policy, in.inventory.Images, notBefore(at, in.inventory.Images))
	differences := comparePreview(in.inventory, e, preview)
	result := evaluated{
		EvaluatedAt: e.At, Repository: in.inventory.Repository, Summary: e.Summary(), Notes: evaluationNotes(in, e, policy), Differences: &differences,
	}
	if err := app.printEvaluation(in.inventory, e, result, f.all); err != nil {
		return err
	}
	return disagreement(differences)
}
