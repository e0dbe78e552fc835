package cli

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// flagPointer leads from flags of other tools to what ecrkit has instead.
type flagPointer struct {
	flags string // separated by spaces, without hyphens
	needs string // the flag that a command must have for the text to hold; "" is every command
	text  string
}

// flagPointers are tried in this order.
var flagPointers = []flagPointer{
	{"insecure tls-verify src-tls-verify dest-tls-verify plain-http from-plain-http to-plain-http insecure-skip-tls-verify no-verify-ssl k", "",
		"a loopback address is read over plain HTTP without a flag; for a certificate authority of your own set SSL_CERT_FILE"},
	{"ca-bundle ca-file cert-dir", "", "set AWS_CA_BUNDLE for AWS, SSL_CERT_FILE for other registries"},
	{"creds src-creds dest-creds from-username to-username username password password-stdin u p authfile src-authfile dest-authfile registry-config registry-token no-creds", "",
		"credentials are those of AWS for Amazon ECR, and of docker (`docker login HOST`) for other registries"},
	{"profile", "", "choose an AWS profile with AWS_PROFILE, or by registry in config.yaml"},
	{"region registry-id account", "", "the account and the region are those in the name of the registry"},
	{"endpoint-url endpoint", "", "set AWS_ENDPOINT_URL_ECR"},
	{"all all-platforms multi-arch a", "platform", "an index goes with all its images unless --platform chooses some; `ecrkit copy SRC DST --all-tags` copies all tags"},
	{"all-tags", "", "use `ecrkit copy SRC DST --all-tags`"},
	{"tag image-tag t", "", "a tag is part of the name: HOST/REPOSITORY:TAG"},
	{"digest image-digest", "", "a digest is part of the name: HOST/REPOSITORY@DIGEST"},
	{"repository-name repository repository-names name image", "", "a repository or image is an argument: HOST/REPOSITORY:TAG"},
	{"preserve-digests keep-digests", "keep-digest", "manifests are never changed; --keep-digest refuses a choice of platforms that makes another index"},
	{"oci-layout from-oci-layout to-oci-layout oci", "", "write oci:DIRECTORY[:TAG] for a layout"},
	{"recursive r include-referrers", "referrers", "use --referrers"},
	{"dest-compress-format compression-format", "compression", "use --compression"},
	{"image-tag-mutability", "immutable-tags", "use --immutable-tags"},
	{"image-scanning-configuration", "scan-on-push", "use --scan-on-push"},
	{"force f y assume-yes no-prompt", "yes", "use --yes"},
	{"jobs j parallel concurrency max-concurrent-downloads image-parallel-copies", "connections", "use --connections"},
	{"json format f", "", "use --output json"},
	{"query filter jq", "", "use --output json, and jq"},
	{"debug d trace log-level loglevel", "", "use --verbose"},
	{"silent s", "", "use --quiet"},
	{"no-progress", "progress", "use --progress none"},
	{"listen port bind", "addr", "use --addr HOST:PORT"},
	{"noop n check", "dry-run", "use --dry-run"},
}

// habit returns what ecrkit has instead of a flag of other tools; "" if it is not known.
func habit(cmd *cobra.Command, flag string) string {
	for _, p := range flagPointers {
		if p.needs != "" && cmd.Flags().Lookup(p.needs) == nil {
			continue
		}
		for known := range strings.FieldsSeq(p.flags) {
			if known == flag {
				return p.text
			}
		}
	}
	return ""
}

// checkValues refuses a flag whose value is the flag that follows it: with "--sign --dry-run" nobody means a key of that
// name.
func checkValues(cmd *cobra.Command) error {
	var err error
	cmd.Flags().Visit(func(f *pflag.Flag) {
		values := []string{f.Value.String()}
		if slice, ok := f.Value.(pflag.SliceValue); ok {
			values = slice.GetSlice()
		}
		for _, value := range values {
			name, long := strings.CutPrefix(value, "--")
			name, _, _ = strings.Cut(name, "=")
			if err == nil && long && cmd.Flags().Lookup(name) != nil {
				err = usagef("--%s has no value: %s, which follows it, is a flag; see %s --help", f.Name, value, cmd.CommandPath())
			}
		}
	})
	return err
}

// checkDashes refuses a flag with the dashes that a word processor or a chat made of hyphens. To the shell it is a
// word like any other.
func checkDashes(args []string) error {
	for _, arg := range args {
		if arg == "--" {
			return nil
		}
		name := strings.TrimLeft(arg, "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212")
		if dashes := strings.TrimSuffix(arg, name); name != "" && strings.Trim(dashes, "-") != "" {
			name, _, _ = strings.Cut(name, "=")
			return usagef("%s begins with a dash that is not a hyphen; write --%s", arg, name)
		}
	}
	return nil
}
