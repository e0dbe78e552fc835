package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/internal/version"
)

const rootHelp = `ecrkit pushes, pulls, copies and signs container images in Amazon ECR, and logs docker in.

  ecrkit push oci:build:1.2 123456789012.dkr.ecr.us-east-1.amazonaws.com/app:1.2
  ecrkit pull 123456789012.dkr.ecr.us-east-1.amazonaws.com/app:1.2 oci:app:1.2
  ecrkit copy ghcr.io/team/app:1.2 123456789012.dkr.ecr.us-east-1.amazonaws.com/app:1.2
  ecrkit sign 123456789012.dkr.ecr.us-east-1.amazonaws.com/app:1.2 --key alias/release
  ecrkit auth setup 123456789012.dkr.ecr.us-east-1.amazonaws.com

References to images:

  HOST/REPOSITORY[:TAG][@DIGEST]   in Amazon ECR or any other registry
  oci:DIRECTORY[:TAG]              in an OCI image layout
  oci-archive:FILE[:TAG]           in a tar file of an OCI image layout
  docker-archive:FILE[:NAME:TAG]   in a tar file as docker save writes it
  docker-daemon:NAME[:TAG]         in the docker daemon
  -                                in an archive on stdin or stdout
  PATH[:TAG]                       in a directory or file; its content decides the format

AWS credentials and endpoints are found as the AWS SDK for Go finds them; the region is that of the
registry. Other registries use the credentials of docker. ECRKIT_REGISTRIES maps a host that is
not a name of Amazon ECR to a registry: ECRKIT_REGISTRIES="127.0.0.1:4510=000000000000.us-east-1".
See ecrkit help environment.

Results are written to stdout, messages to stderr. See ecrkit help exit-codes.`

// commandGroup are commands that the help lists under one title; "" is its last list.
type commandGroup struct {
	title    string
	commands []namedCommand
}

// namedCommand is a command below root.
type namedCommand struct {
	name  string
	build func(*App) *cobra.Command
}

// commandGroups returns the commands below root: all of them, or if only is the name of one, that one.
func commandGroups(only string) []commandGroup {
	groups := []commandGroup{
		{"Push, pull and copy:", []namedCommand{{"push", newPushCommand}, {"pull", newPullCommand}, {"copy", newCopyCommand}, {"mirror", newMirrorCommand}}},
		{"Sign and verify:", []namedCommand{
			{"sign", newSignCommand}, {"verify", newVerifyCommand}, {"attest", newAttestCommand}, {"tree", newTreeCommand},
			{"sign-blob", newSignBlobCommand}, {"verify-blob", newVerifyBlobCommand}, {"attest-blob", newAttestBlobCommand},
			{"public-key", newPublicKeyCommand}, {"generate-key-pair", newGenerateKeyPairCommand},
		}},
		{"Inspect, list and tag images:", []namedCommand{
			{"inspect", newInspectCommand}, {"digest", newDigestCommand}, {"ls", newLsCommand}, {"tag", newTagCommand}, {"index", newIndexCommand},
			{"rm", newRmCommand}, {"blob", newBlobCommand},
		}},
		{"Govern images:", []namedCommand{{"lifecycle", newLifecycleCommand}, {"scan", newScanCommand}}},
		{"Registries:", []namedCommand{
			{"repo", newRepoCommand}, {"registry", newRegistryCommand}, {"signing", newSigningCommand}, {"auth", newAuthCommand},
			{"doctor", newDoctorCommand}, {"local", newLocalCommand}, {"proxy", newProxyCommand},
		}},
		{"", []namedCommand{{"version", newVersionCommand}, {"man", newManCommand}}},
	}
	for _, group := range groups {
		for _, command := range group.commands {
			if command.name == only && only != "man" { // which describes all commands
				return []commandGroup{{group.title, []namedCommand{command}}}
			}
		}
	}
	return groups
}

// newRootCommand builds the command tree. If only is the name of a command below root, it is the only one there: to
// build all of them takes some milliseconds and 2 MiB of memory, in a process that runs one.
func newRootCommand(app *App, only string) *cobra.Command {
	var printVersion bool
	root := &cobra.Command{
		Use:           "ecrkit",
		Short:         "Push, pull, copy and sign images, and log docker in to Amazon ECR",
		Long:          rootHelp,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 || printVersion {
				return nil
			}
			return unknownCommand(cmd, args[0])
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if printVersion {
				_, err := fmt.Fprintln(app.Stdout, "ecrkit", version.String())
				return err
			}
			return cmd.Help()
		},
	}
	// cobra would need a template for this output.
	root.Flags().BoolVar(&printVersion, "version", false, "version for ecrkit")
	flags := root.PersistentFlags()
	flags.VarP(&app.Output, "output", "o", "format of the result on stdout")
	app.addGitHubFlag(flags)
	flags.StringVar(&app.oidcRole, "oidc-role", "", "assume the role `ARN` with the OIDC token of this CI job (default $"+auth.OIDCRoleVariable+")")
	flags.BoolVarP(&app.Quiet, "quiet", "q", false, "write only errors to stderr")
	flags.BoolVarP(&app.Verbose, "verbose", "v", false, "write each AWS call and HTTP request to stderr")
	root.SetFlagErrorFunc(flagError)
	for _, group := range commandGroups(only) {
		if group.title != "" {
			root.AddGroup(&cobra.Group{ID: group.title, Title: group.title})
		}
		for _, command := range group.commands {
			cmd := command.build(app)
			cmd.GroupID = group.title
			root.AddCommand(cmd)
		}
	}
	root.AddCommand(newTopics()...)
	addHelpCommand(root)
	refuseHelpOfNothing(app, root)
	root.InitDefaultCompletionCmd()
	completeWithoutPackages(app, root)
	root.SetUsageFunc(app.printUsage)
	splitExamples(root)
	checkUsage(app, root)
	return root
}

// checkUsage makes each error of an argument check, cobra's own too, a usage
// error, in all commands below cmd.
func checkUsage(app *App, cmd *cobra.Command) {
	check := cmd.Args
	if check == nil {
		check = cobra.ArbitraryArgs
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if app.Quiet && app.Verbose {
			return usagef("--quiet and --verbose exclude each other")
		}
		if err := checkValues(cmd); err != nil {
			return err
		}
		if err := check(cmd, args); err != nil {
			return usageError{err}
		}
		return nil
	}
	for _, sub := range cmd.Commands() {
		checkUsage(app, sub)
	}
}
