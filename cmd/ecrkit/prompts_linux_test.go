package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"golang.org/x/sys/unix"

	"github.com/ecrkit/ecrkit/localecr"
)

// What the keys send.
const (
	ctrlC = "\x03"
	ctrlD = "\x04"
)

// TestPrompts answers questions as a person at a terminal does.
func TestPrompts(t *testing.T) {
	t.Parallel()
	const policy = `{"rules": [{"rulePriority": 1, "selection": {"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 1}, "action": {"type": "expire"}}]}`
	tests := []struct {
		name, command, question string // {} is the host
		answer                  string
		code                    int
		last                    string // begins the last line
		done                    bool   // the command has changed the registry
	}{
		{"rm", "rm {}/app:1.0", "Delete 1 tag or image?", "yes\n", 0, "removed tag {}/app:1.0", true},
		{"rm", "rm {}/app:1.0", "Delete 1 tag or image?", "maybe\n", 1, "ecrkit: nothing was deleted", false},
		{"rm", "rm {}/app:1.0", "Delete 1 tag or image?", ctrlC, 130, "ecrkit: interrupted", false},
		{"rm", "rm {}/app:1.0", "Delete 1 tag or image?", ctrlD, 1, "ecrkit: nothing was deleted", false},
		{"rm, an unfinished line", "rm {}/app:1.0", "Delete 1 tag or image?", "yes" + ctrlD + ctrlD, 1, "ecrkit: nothing was deleted", false},
		{"repo rm", "repo rm {}/app --force", "", ctrlC, 130, "ecrkit: interrupted", false},
		{"repo rm", "repo rm {}/app --force", "", ctrlD, 1, "ecrkit: nothing was deleted", false},
		{"repo rm", "repo rm {}/app --force", "", "y\n", 0, "", true},
		{"lifecycle put", "lifecycle put {}/app --policy policy.json", "Put the policy of 1 repository?", ctrlC, 130, "ecrkit: interrupted", false},
		{"lifecycle put", "lifecycle put {}/app --policy policy.json", "Put the policy of 1 repository?", ctrlD, 1, "ecrkit: nothing was changed", false},
		{"lifecycle put", "lifecycle put {}/app --policy policy.json", "Put the policy of 1 repository?", "yes\n", 0, "lifecycle policy put on {}/app", true},
		{"repo apply", "repo apply repositories.yaml {}", "Apply?", ctrlC, 130, "ecrkit: interrupted", false},
		{"repo apply", "repo apply repositories.yaml {}", "Apply?", ctrlD, 1, "ecrkit: nothing was changed", false},
		{"lifecycle rm", "lifecycle rm {}/app", "Remove the policy of 1 repository?", ctrlC, 130, "ecrkit: interrupted", false},
		{"lifecycle rm", "lifecycle rm {}/app", "Remove the policy of 1 repository?", ctrlD, 1, "ecrkit: nothing was changed", false},
		{"lifecycle rm", "lifecycle rm {}/app", "Remove the policy of 1 repository?", "maybe\n", 1, "ecrkit: nothing was changed", false},
		{"lifecycle rm", "lifecycle rm {}/app", "Remove the policy of 1 repository?", "y\n", 0, "lifecycle policy removed", true},
		{"repo policy rm", "repo policy rm {}/app", "Remove this policy from {}/app?", ctrlC, 130, "ecrkit: interrupted", false},
		{"repo policy rm", "repo policy rm {}/app", "Remove this policy from {}/app?", ctrlD, 1, "ecrkit: nothing was changed", false},
		{"repo policy rm", "repo policy rm {}/app", "Remove this policy from {}/app?", "maybe\n", 1, "ecrkit: nothing was changed", false},
		{"repo policy rm", "repo policy rm {}/app", "Remove this policy from {}/app?", "y\n", 0, "", true},
		{"repo template rm", "repo template rm team/ {}", "Delete the repository creation template team/ of", ctrlC, 130, "ecrkit: interrupted", false},
		{"repo template rm", "repo template rm team/ {}", "Delete the repository creation template team/ of", ctrlD, 1, "ecrkit: nothing was deleted", false},
		{"repo template rm", "repo template rm team/ {}", "Delete the repository creation template team/ of", "maybe\n", 1, "ecrkit: nothing was deleted", false},
		{"repo template rm", "repo template rm team/ {}", "Delete the repository creation template team/ of", "y\n", 0, "", true},
		{"registry policy rm", "registry policy rm {}", "Remove this policy from", ctrlC, 130, "ecrkit: interrupted", false},
		{"registry policy rm", "registry policy rm {}", "Remove this policy from", ctrlD, 1, "ecrkit: nothing was changed", false},
		{"registry policy rm", "registry policy rm {}", "Remove this policy from", "maybe\n", 1, "ecrkit: nothing was changed", false},
		{"registry policy rm", "registry policy rm {}", "Remove this policy from", "y\n", 0, "", true},
		{"registry replication rm", "registry replication rm {}", "End the replication of", ctrlC, 130, "ecrkit: interrupted", false},
		{"registry replication rm", "registry replication rm {}", "End the replication of", ctrlD, 1, "ecrkit: nothing was changed", false},
		{"registry replication rm", "registry replication rm {}", "End the replication of", "maybe\n", 1, "ecrkit: nothing was changed", false},
		{"registry replication rm", "registry replication rm {}", "End the replication of", "y\n", 0, "", true},
		{"registry pull-through rm", "registry pull-through rm public {}", "Remove the pull-through cache rule public of", ctrlC, 130, "ecrkit: interrupted", false},
		{"registry pull-through rm", "registry pull-through rm public {}", "Remove the pull-through cache rule public of", ctrlD, 1, "ecrkit: nothing was changed", false},
		{"registry pull-through rm", "registry pull-through rm public {}", "Remove the pull-through cache rule public of", "maybe\n", 1, "ecrkit: nothing was changed", false},
		{"registry pull-through rm", "registry pull-through rm public {}", "Remove the pull-through cache rule public of", "y\n", 0, "", true},
		{"signing delete", "signing delete {}", "Delete the signing configuration of", ctrlC, 130, "ecrkit: interrupted", false},
		{"signing delete", "signing delete {}", "Delete the signing configuration of", ctrlD, 1, "ecrkit: nothing was deleted", false},
		{"signing delete", "signing delete {}", "Delete the signing configuration of", "maybe\n", 1, "ecrkit: nothing was deleted", false},
		{"signing delete", "signing delete {}", "Delete the signing configuration of", "y\n", 0, "", true},
		{"generate-key-pair", "generate-key-pair release", "Password of", ctrlC, 130, "ecrkit: interrupted", false},
		{"generate-key-pair", "generate-key-pair release", "Password of", ctrlD, 1, "ecrkit: no password was typed", false},
		{"generate-key-pair, an unfinished line", "generate-key-pair release", "Password of", "secret" + ctrlD + ctrlD, 1, "ecrkit: no password was typed", false},
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("%s %q", test.name, test.answer), func(t *testing.T) {
			t.Parallel()
			server := newRegistry(t)
			dir := t.TempDir()
			for name, text := range map[string]string{"policy.json": policy, "repositories.yaml": "version: 1\nrepositories:\n  - name: app\n    tagMutability: IMMUTABLE\n"} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			setUp(t, server, policy)
			before := registryState(t, server)
			in := strings.NewReplacer("{}", server.Registry)
			out, code := atTerminal(t, server, dir, strings.Fields(in.Replace(test.command)), test.answer)
			if code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			if !strings.Contains(out, in.Replace(test.question)) {
				t.Errorf("no question %q", test.question)
			}
			lines := strings.Split(strings.TrimRight(out, "\r\n"), "\r\n")
			if last, want := lines[len(lines)-1], in.Replace(test.last); !strings.HasPrefix(last, want) {
				t.Errorf("the last line is %q, want %q", last, want)
			}
			if changed := registryState(t, server) != before; changed != test.done {
				t.Errorf("the registry has changed: %t, want %t", changed, test.done)
			}
			if _, err := os.Stat(filepath.Join(dir, "release.key")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("a key was written: %v", err)
			}
			if t.Failed() {
				t.Logf("%s", out)
			}
		})
	}
}

// setUp puts on the registry what the commands of TestPrompts remove.
func setUp(t *testing.T, server *localecr.Server, lifecycle string) {
	client, app := ecr.NewFromConfig(server.AWSConfig()), aws.String("app")
	statement := func(action, resource string) *string {
		return aws.String(`{"Version": "2012-10-17", "Statement": [{"Sid": "a", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::222222222222:root"}, "Action": "` + action + `"` + resource + `}]}`)
	}
	_, lifecycleErr := client.PutLifecyclePolicy(t.Context(), &ecr.PutLifecyclePolicyInput{RepositoryName: app, LifecyclePolicyText: aws.String(strings.Replace(lifecycle, `"countNumber": 1`, `"countNumber": 2`, 1))})
	_, policyErr := client.SetRepositoryPolicy(t.Context(), &ecr.SetRepositoryPolicyInput{RepositoryName: app, PolicyText: statement("ecr:BatchGetImage", "")})
	_, templateErr := client.CreateRepositoryCreationTemplate(t.Context(), &ecr.CreateRepositoryCreationTemplateInput{Prefix: aws.String("team/"), AppliedFor: []types.RCTAppliedFor{types.RCTAppliedForCreateOnPush}})
	_, registryErr := client.PutRegistryPolicy(t.Context(), &ecr.PutRegistryPolicyInput{PolicyText: statement("ecr:ReplicateImage", `, "Resource": ["arn:aws:ecr:us-east-1:000000000000:repository/*"]`)})
	_, replicationErr := client.PutReplicationConfiguration(t.Context(), &ecr.PutReplicationConfigurationInput{ReplicationConfiguration: &types.ReplicationConfiguration{
		Rules: []types.ReplicationRule{{Destinations: []types.ReplicationDestination{{Region: aws.String("eu-west-1"), RegistryId: aws.String("000000000000")}}}}}})
	_, ruleErr := client.CreatePullThroughCacheRule(t.Context(), &ecr.CreatePullThroughCacheRuleInput{EcrRepositoryPrefix: aws.String("public"), UpstreamRegistryUrl: aws.String("public.ecr.aws")})
	_, signingErr := client.PutSigningConfiguration(t.Context(), &ecr.PutSigningConfigurationInput{SigningConfiguration: &types.SigningConfiguration{
		Rules: []types.SigningRule{{SigningProfileArn: aws.String("arn:aws:signer:us-east-1:000000000000:/signing-profiles/release")}}}})
	if err := errors.Join(lifecycleErr, policyErr, templateErr, registryErr, replicationErr, ruleErr, signingErr); err != nil {
		t.Fatal(err)
	}
}

// registryState is what the commands of TestPrompts may change.
func registryState(t *testing.T, server *localecr.Server) string {
	client := ecr.NewFromConfig(server.AWSConfig())
	repositories, err := client.DescribeRepositories(t.Context(), &ecr.DescribeRepositoriesInput{})
	if err != nil {
		t.Fatal(err)
	}
	var state strings.Builder
	for _, r := range repositories.Repositories {
		images, err := client.ListImages(t.Context(), &ecr.ListImagesInput{RepositoryName: r.RepositoryName})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&state, *r.RepositoryName, r.ImageTagMutability, len(images.ImageIds))
		if policy, err := client.GetLifecyclePolicy(t.Context(), &ecr.GetLifecyclePolicyInput{RepositoryName: r.RepositoryName}); err == nil {
			fmt.Fprintln(&state, aws.ToString(policy.LifecyclePolicyText))
		}
		if policy, err := client.GetRepositoryPolicy(t.Context(), &ecr.GetRepositoryPolicyInput{RepositoryName: r.RepositoryName}); err == nil {
			fmt.Fprintln(&state, aws.ToString(policy.PolicyText))
		}
	}
	if policy, err := client.GetRegistryPolicy(t.Context(), &ecr.GetRegistryPolicyInput{}); err == nil {
		fmt.Fprintln(&state, aws.ToString(policy.PolicyText))
	}
	if signing, err := client.GetSigningConfiguration(t.Context(), &ecr.GetSigningConfigurationInput{}); err == nil {
		fmt.Fprintln(&state, len(signing.SigningConfiguration.Rules), "signing rules")
	}
	registry, registryErr := client.DescribeRegistry(t.Context(), &ecr.DescribeRegistryInput{})
	templates, templatesErr := client.DescribeRepositoryCreationTemplates(t.Context(), &ecr.DescribeRepositoryCreationTemplatesInput{})
	rules, rulesErr := client.DescribePullThroughCacheRules(t.Context(), &ecr.DescribePullThroughCacheRulesInput{})
	if err := errors.Join(registryErr, templatesErr, rulesErr); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(&state, len(registry.ReplicationConfiguration.Rules), len(templates.RepositoryCreationTemplates), len(rules.PullThroughCacheRules))
	return state.String()
}

// atTerminal runs ecrkit in dir on a terminal of its own, answers what it asks first, and returns all that the
// terminal shows, and the exit code.
func atTerminal(t *testing.T, server *localecr.Server, dir string, args []string, answer string) (shown string, code int) {
	keyboard, terminal := newTerminal(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "ecrkit", args...)
	cmd.Dir = dir
	cmd.Env = append(server.Env(), "HOME="+dir, "PATH="+os.Getenv("PATH"), "GORACE=atexit_sleep_ms=0", "GOCOVERDIR="+os.Getenv("GOCOVERDIR"))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = terminal, terminal, terminal
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := terminal.Close(); err != nil { // reading from the other end fails once the command has ended
		t.Fatal(err)
	}
	var out bytes.Buffer
	answered, b := false, make([]byte, 4<<10)
	for {
		n, err := keyboard.Read(b)
		out.Write(b[:n])
		if !answered && (bytes.HasSuffix(out.Bytes(), []byte("[y/N] ")) || bytes.HasSuffix(out.Bytes(), []byte("release.key: "))) {
			answered = true
			if _, err := io.WriteString(keyboard, answer); err != nil {
				t.Fatal(err)
			}
		}
		if err != nil {
			break
		}
	}
	if err := cmd.Wait(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

// newTerminal opens a pseudo-terminal of 80 columns: what is written to the keyboard is typed at the terminal.
func newTerminal(t *testing.T) (keyboard, terminal *os.File) {
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { keyboard.Close() })
	fd := int(keyboard.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0),
		unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80}))
	if err != nil {
		t.Fatal(err)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return keyboard, terminal
}
