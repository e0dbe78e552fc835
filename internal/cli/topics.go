package cli

import "github.com/spf13/cobra"

const exitCodesHelp = `Every command ends with one of these exit codes:

  0    done
  1    failed: not found, no permission, network, a list that broke off
  2    usage: the command line is wrong, or a file that it names: a configuration, a policy or
       other input that is not what the command reads, a path that does not exist or is no
       image
  3    partly: some of several things were done, others failed
  4    integrity: content does not match its digest, or an image is not signed as required
  5    conflict: an immutable tag, a repository with images, or a gate that failed
  130  interrupted by Ctrl-C or SIGTERM; push, pull and copy resume if you run them again

With --output json an error is part of the JSON object on stdout, the same in every command.
The object also has the results, if there are any:

  {"error":{"code":"not-found","message":"repository app does not exist in …","object":"HOST/app"}}

code is one of

  usage        exit code 2
  partly       exit code 3; each failed entry has an "error" of its own
  integrity    exit code 4: wrong content
  unsigned     exit code 4: no signature or attestation
  untrusted    exit code 4: signed, but not as required
  conflict     exit code 5: the destination refuses to replace what it has
  gate         exit code 5: a policy, a limit or a missing --force
  not-found    exit code 1: a repository, image or blob does not exist
  unsupported  exit code 1: content or an operation that is not supported
  rate-limit   exit code 1: the limit of a registry is used up for longer than is waited for
  no-result    exit code 1: no result of a scan
  failed       exit code 1: any other error
  interrupted  exit code 130

object is what the error is about, or "" if that is not known.`

const environmentHelp = `ecrkit reads these environment variables:

  ECRKIT_REGISTRY        HOST of the registry for repository names without a host
                         ("ecrkit repo", "lifecycle", "scan", "signing")
  ECRKIT_REGISTRIES      registries behind hosts that are not names of Amazon ECR:
                         127.0.0.1:4510=000000000000.us-east-1,...
  ECRKIT_TOKEN_SERVERS   token servers outside the domain of their registry, or at private
                         addresses: harbor.internal=10.0.0.5:5001,...
  ECRKIT_POLICY          signing policy: which images must be signed, and with which key
  ECRKIT_OIDC_ROLE_ARN   role that a CI job assumes with its OIDC token; default of --oidc-role
  ECRKIT_ID_TOKEN        that token (GitLab sets it with id_tokens); GitHub Actions is asked for
                         one if the job has the permission id-token: write
  ECRKIT_PROGRESS        default of --progress: auto, bars, lines, json or none
  ECRKIT_CONNECTIONS     default of --connections; ECRKIT_LAYERS, ECRKIT_MAX_CONNECTIONS and
                         ECRKIT_UPLOAD are those of --layers, --max-connections and --upload
  ECRKIT_CONFIG          configuration file
  ECRKIT_CACHE_DIR       directory for cached tokens (default ~/.cache/ecrkit)
  ECRKIT_STATE_DIR       directory for what push and pull resume (default
                         ~/.local/state/ecrkit)
  ECRKIT_LOG             debug, or debug:FILE, logs each decision about tokens
  COSIGN_PASSWORD        password of an encrypted private key
  DOCKER_CONFIG          directory of docker's config.json, with the logins of other registries
  DOCKER_HOST            docker engine; also DOCKER_TLS_VERIFY, DOCKER_CERT_PATH
  TMPDIR                 directory for temporary files (default /var/tmp; on Windows %TEMP%)
  GOMEMLIMIT             memory limit of the garbage collector (default 112MiB)
  SOURCE_DATE_EPOCH      date of the man pages
  GITHUB_ACTIONS         "true" is the default of --github; GITHUB_OUTPUT and GITHUB_STEP_SUMMARY
                         are the files that it writes

AWS credentials and endpoints are found as the AWS SDK for Go finds them, with
AWS_PROFILE, AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL_ECR, AWS_CA_BUNDLE and the other variables of
the AWS SDKs. The region is that of the registry. Proxies are set with HTTPS_PROXY, HTTP_PROXY and
NO_PROXY.`

// addHelpCommand adds the command help, which knows when there is no such topic.
func addHelpCommand(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	help, _, err := root.Find([]string{"help"})
	if err != nil {
		return
	}
	help.Short = "Show the help of a command or topic"
	help.Long = "Show the help of a command, or of a topic: ecrkit help exit-codes, ecrkit help environment."
	help.Run = nil
	help.RunE = func(_ *cobra.Command, args []string) error {
		cmd, rest, err := root.Find(args)
		if err != nil || len(rest) > 0 {
			return unknownCommand(cmd, args[len(args)-max(len(rest), 1)])
		}
		cmd.InitDefaultHelpFlag()
		return cmd.Help()
	}
}

// refuseHelpOfNothing makes --help behind a word that is no command an error, as the word alone is.
func refuseHelpOfNothing(app *App, root *cobra.Command) {
	help := root.HelpFunc()
	root.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		if words := cmd.Flags().Args(); cmd.HasSubCommands() && len(words) > 0 && cmd.Flags().Changed("help") {
			app.noHelp = unknownCommand(cmd, words[0])
			return
		}
		help(cmd, args)
	})
}

// newTopics returns the help topics: commands that only have a text.
func newTopics() []*cobra.Command {
	return []*cobra.Command{
		{Use: "exit-codes", Short: "Exit codes, and the form of errors in JSON", Long: exitCodesHelp},
		{Use: "environment", Short: "Environment variables", Long: environmentHelp},
	}
}
