package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/internal/strictjson"
	"github.com/ecrkit/ecrkit/lifecycle"
)

const lifecycleHelp = `Preview, explain and put lifecycle policies of Amazon ECR.

  ecrkit lifecycle new --untagged-older-than 7 --keep prod=10 --keep staging=5 >policy.json
  ecrkit lifecycle lint policy.json
  ecrkit lifecycle evaluate --policy policy.json --images HOST/app --at +30d
  ecrkit lifecycle explain v1.2 --policy policy.json --images HOST/app
  ecrkit lifecycle put HOST/app --policy policy.json --max-expire 10%
  aws ecr describe-images --repository-name app >images.json
  ecrkit lifecycle diff old.json policy.json --images images.json

A policy is its JSON, as Amazon ECR takes it, or the output of aws ecr
get-lifecycle-policy. It is evaluated on this machine, for the images of a repository or,
without any account, for those of a file. put and rm alone change something.`

func newLifecycleCommand(app *App) *cobra.Command {
	return newGroup("lifecycle", "Preview, explain and put lifecycle policies", lifecycleHelp,
		newLifecycleNewCommand(app), newLifecycleLintCommand(app), newLifecycleEvaluateCommand(app),
		newLifecycleExplainCommand(app), newLifecycleDiffCommand(app), newLifecyclePreviewCommand(app),
		newLifecycleGetCommand(app), newLifecyclePutCommand(app), newLifecycleRmCommand(app),
	)
}

// evaluationFlags are the flags of the commands that evaluate a policy.
type evaluationFlags struct {
	policy    string
	images    []string
	at        string
	manifests manifestsFlag
}

func (f *evaluationFlags) add(cmd *cobra.Command, withPolicy bool) {
	flags := cmd.Flags()
	if withPolicy {
		flags.StringVar(&f.policy, "policy", "", "`file` of the policy, - for stdin (default the repository's own)")
	}
	flags.StringArrayVar(&f.images, "images", nil, "`file` of the images, - for stdin; may be repeated; or a repository")
	addManifestsFlag(cmd, &f.manifests)
	flags.StringVar(&f.at, "at", "", "`time` of the evaluation, or how far it is, as +30d (default now)")
}

func addManifestsFlag(cmd *cobra.Command, f *manifestsFlag) {
	addFixed(cmd, f, "manifests", "manifests to read of a repository (default indexes, none if pulls count)")
}

// check finds mistakes in the command line; policies are the files of policies, and live
// says that the images are those of a repository.
func (f *evaluationFlags) check(live bool, policies ...string) error {
	stdin := 0
	for _, name := range append(policies, f.images...) {
		if name == "-" {
			stdin++
		}
	}
	switch {
	case len(f.images) == 0:
		return usagef("--images is missing: a file with the output of aws ecr describe-images, or HOST/REPOSITORY")
	case !live && slices.Contains(policies, ""):
		flag := "--policy is"
		if len(policies) > 1 {
			flag = "OLD and NEW are"
		}
		return usagef("%s missing: the file of a lifecycle policy; that of a repository is taken if --images names it", flag)
	case !live && f.manifests.Manifests != "":
		return usagef("--manifests is for the images of a repository, --images HOST/REPOSITORY")
	case stdin > 1:
		return usagef("stdin (-) can be read once only")
	}
	return nil
}

// time is when the policy is evaluated.
func (f *evaluationFlags) time(now time.Time) (time.Time, error) {
	now = now.Truncate(time.Second)
	ahead, future := strings.CutPrefix(f.at, "+")
	switch {
	case f.at == "":
		return now, nil
	case !future:
		return parseWhen("--at", f.at, now)
	}
	past, err := parseWhen("--at", ahead, now)
	if err != nil || past.After(now) {
		return time.Time{}, usagef("--at %q is no length of time; write +36h, +30d or +4w", f.at)
	}
	return now.Add(now.Sub(past)), nil
}

// readFile reads a file, or stdin for -, of at most limit bytes.
func (app *App) readFile(name string, limit int64) ([]byte, error) {
	f := app.stdin()
	if name != "-" {
		file, err := app.openText(name)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		f = file
	}
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = fmt.Errorf("it is longer than %d bytes", limit)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", showFile(name), err)
	}
	return text, nil
}

// showFile names a file for people.
func showFile(name string) string {
	if name == "-" {
		return "stdin"
	}
	return name
}

// maxPolicyFile bounds the file of a policy, which may have more around the text.
const maxPolicyFile = 8 * lifecycle.MaxPolicyLength

// readPolicyText returns the text of a policy.
func (app *App) readPolicyText(name string) ([]byte, error) {
	text, err := app.readFile(name, maxPolicyFile)
	if err != nil {
		return nil, err
	}
	var got struct { // the output of get-lifecycle-policy
		Text string `json:"lifecyclePolicyText"`
	}
	if strictjson.Unmarshal(text, &got) == nil && got.Text != "" {
		return []byte(got.Text), nil
	}
	return text, nil
}

// readPolicy reads the policy of a file.
func (app *App) readPolicy(name string) (*lifecycle.Policy, error) {
	text, err := app.readPolicyText(name)
	if err != nil {
		return nil, err
	}
	p, err := lifecycle.Parse(text)
	if err != nil {
		return nil, wrongDocument(name, text, lifecyclePolicy, fmt.Errorf("%w; see `ecrkit lifecycle lint`", err))
	}
	return p, nil
}
