package cli

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ecrkit/ecrkit/transfer/ecr"
)

// addRepositoryFlags adds the flags that say with which settings a repository is
// created. The caller calls Validate on them.
func addRepositoryFlags(cmd *cobra.Command, s *ecr.Settings) {
	flags := cmd.Flags()
	flags.BoolVar(&s.ScanOnPush, "scan-on-push", false, "have images scanned when they arrive")
	flags.BoolVar(&s.ImmutableTags, "immutable-tags", false, "keep every tag at the image that it names first")
	flags.StringArrayVar(&s.MutabilityExclusions, "mutability-exclusion", nil,
		"`pattern` of tags, with *, that can be moved with --immutable-tags, and that cannot without it; may be repeated")
	flags.Var(upperCase{&s.Encryption}, "encryption", "AES256, KMS or KMS_DSSE (default AES256, with --kms-key KMS)")
	flags.StringVar(&s.KMSKey, "kms-key", "", "alias, ID or ARN of the KMS `key` (default the AWS managed one)")
	flags.StringToStringVar(&s.Tags, "repository-tag", nil, "resource tag `key=value` of the repository; may be repeated")
	flags.Lookup("repository-tag").DefValue = "" // is not shown
}

// addCreateRepositoryFlags adds --create-repository and the settings for it to a
// command that pushes. The function it returns computes the settings after the command line
// is read; nil is not to create repositories.
func addCreateRepositoryFlags(cmd *cobra.Command) func() (*ecr.Settings, error) {
	var settings ecr.Settings
	var create bool
	cmd.Flags().BoolVar(&create, "create-repository", false, "create the repository if it does not exist, with these settings")
	own := cobra.Command{}
	addRepositoryFlags(&own, &settings)
	cmd.Flags().AddFlagSet(own.Flags())
	return func() (*ecr.Settings, error) {
		var set string
		own.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Changed {
				set = f.Name
			}
		})
		if !create && set != "" {
			return nil, usagef("--%s needs --create-repository", set)
		}
		if !create {
			return nil, nil
		}
		if err := settings.Validate(); err != nil {
			return nil, usageError{err}
		}
		return &settings, nil
	}
}

// upperCase is a flag that is written in any case.
type upperCase struct{ value *string }

func (u upperCase) String() string {
	if u.value == nil {
		return ""
	}
	return *u.value
}
func (u upperCase) Type() string       { return "type" }
func (u upperCase) Set(s string) error { *u.value = strings.ToUpper(s); return nil }
