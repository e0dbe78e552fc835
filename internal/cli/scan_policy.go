package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/scan"
)

const scanPolicyNewHelp = `Write a scan policy, for ecrkit scan gate and push --scan-gate.

  ecrkit scan policy new > scan-policy.yaml
  ecrkit scan policy new --block HIGH --block-fixable MEDIUM > scan-policy.yaml

Findings of the severity --block and worse fail the gate; those of --block-fixable and worse do if
they have a fix. Without these flags that is CRITICAL, and HIGH with a fix. A comment shows how to
ignore a finding.

Prints the policy in YAML, or with --output json one object: policy (the YAML).`

func newScanPolicyCommand(app *App) *cobra.Command {
	var block, fixable string
	create := &cobra.Command{
		Use:   "new",
		Short: "Write a scan policy",
		Long:  scanPolicyNewHelp,
		Args:  arguments(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("block") && !cmd.Flags().Changed("block-fixable") {
				block, fixable = string(scan.Critical), string(scan.High)
			}
			text, err := newScanPolicy(block, fixable)
			if err != nil {
				return usageError{err}
			}
			result := struct {
				Policy string `json:"policy"`
			}{text}
			return app.PrintResult(result, text)
		},
	}
	create.Flags().StringVar(&block, "block", "", "block findings of this `SEVERITY` and worse (default CRITICAL)")
	create.Flags().StringVar(&fixable, "block-fixable", "", "block findings of this `SEVERITY` and worse that have a fix (default HIGH)")
	for _, name := range []string{"block", "block-fixable"} {
		_ = create.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(severityNames(), cobra.ShellCompDirectiveNoFileComp))
	}
	return newGroup("policy", "Write a scan policy", "Write a scan policy: which findings fail the gate.\n\n  ecrkit scan policy new > scan-policy.yaml", create)
}

func severityNames() []string {
	var names []string
	for _, s := range scan.Severities() {
		names = append(names, string(s))
	}
	return names
}

// newScanPolicy returns the policy as YAML.
func newScanPolicy(block, fixable string) (string, error) {
	var text strings.Builder
	text.WriteString("# Which findings of an image scan fail the gate: ecrkit scan gate, ecrkit push --scan-gate.\nversion: 1\nblock:\n")
	for _, rule := range []struct{ flag, severity, more string }{
		{"block", block, ""}, {"block-fixable", fixable, "    fix_available: true\n"},
	} {
		if rule.severity == "" {
			continue
		}
		severity, err := scan.ParseSeverity(strings.ToUpper(rule.severity))
		if err != nil {
			return "", fmt.Errorf("--%s: %w", rule.flag, err)
		}
		fmt.Fprintf(&text, "  - severity: %s # and worse\n%s", severity, rule.more)
	}
	text.WriteString("# ignore:\n#   - id: CVE-2026-1234\n#     reason: not reachable, the module is not loaded\n#     expires: 2026-12-31\n")
	if _, err := scan.ParsePolicy(strings.NewReader(text.String())); err != nil {
		return "", err
	}
	return text.String(), nil
}
