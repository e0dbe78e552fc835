package cli

import (
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ecrkit/ecrkit/internal/nearest"
)

// pointers leads from the commands of other tools, and from usual words for ours, to those of ecrkit.
var pointers = map[string]string{
	"login":                 "use `ecrkit auth login HOST`, or have docker log in automatically: `ecrkit auth setup HOST`",
	"logout":                "use `ecrkit auth cache clear` to remove cached tokens, or `docker logout HOST`",
	"cp":                    "use `ecrkit copy SRC DST`",
	"sync":                  "use `ecrkit mirror apply CONFIG`, or for one repository `ecrkit copy SRC DST --all-tags`",
	"images":                "use `ecrkit ls HOST/REPOSITORY`",
	"catalog":               "use `ecrkit ls HOST`",
	"manifest":              "use `ecrkit inspect REF --raw` for a manifest, and `ecrkit index` to create or edit an index",
	"config":                "use `ecrkit inspect REF --config`",
	"referrer":              "use `ecrkit tree REF`",
	"discover":              "use `ecrkit tree REF`",
	"load":                  "use `ecrkit pull REF docker-daemon:NAME:TAG`",
	"save":                  "use `ecrkit pull REF docker-archive:FILE`",
	"export":                "use `ecrkit pull REF oci-archive:FILE`",
	"remove":                "use `ecrkit rm REF`",
	"create":                "use `ecrkit repo create NAME`",
	"tags":                  "use `ecrkit ls HOST/REPOSITORY`",
	"list-tags":             "use `ecrkit ls HOST/REPOSITORY`",
	"repositories":          "use `ecrkit ls HOST`",
	"describe-images":       "use `ecrkit ls HOST/REPOSITORY`",
	"describe-repositories": "use `ecrkit repo ls`",
	"create-repository":     "use `ecrkit repo create NAME`",
	"delete-repository":     "use `ecrkit repo rm NAME`",
	"get-login":             "use `ecrkit auth login HOST`, or have docker log in automatically: `ecrkit auth setup HOST`",
	"get-login-password":    "use `ecrkit auth token HOST`, or have docker log in automatically: `ecrkit auth setup HOST`",
	"append":                "use `ecrkit index add` for an image in an index; images are not built here",
	"build":                 "images are not built here; push what docker buildx or another program built",
	"attach":                "use `ecrkit attest REF --type TYPE --predicate FILE` for a signed statement",
	"serve":                 "use `ecrkit local` for a local ECR, `ecrkit proxy` for a cache",
	"audit":                 "use `ecrkit repo audit`",
	"apply":                 "use `ecrkit repo apply FILE`, or `ecrkit mirror apply CONFIG`",
	"delta":                 "use `ecrkit mirror delta` to see what deltas of layers save, and `ecrkit mirror export --delta` to carry them",
	"hepl":                  "did you mean help?",
	"local start":           "`ecrkit local` alone starts it",
	"local run":             "`ecrkit local` alone starts it",
	"local up":              "`ecrkit local` alone starts it",
	"local stop":            "end it with Ctrl-C or kill",
	"local down":            "end it with Ctrl-C or kill",
	"proxy start":           "`ecrkit proxy` alone starts it",
	"proxy run":             "`ecrkit proxy` alone starts it",
	"proxy stop":            "end it with Ctrl-C or kill",
	"auth get":              "use `ecrkit auth token HOST`",
	"auth whoami":           "use `ecrkit auth explain HOST`",
	"auth logout":           "use `ecrkit auth cache clear` to remove cached tokens, or `docker logout HOST`",
	"lifecycle apply":       "use `ecrkit lifecycle put NAME --policy FILE`",
	"lifecycle set":         "use `ecrkit lifecycle put NAME --policy FILE`",
	"lifecycle test":        "use `ecrkit lifecycle evaluate`, or `ecrkit lifecycle lint FILE`",
	"lifecycle validate":    "use `ecrkit lifecycle lint FILE`",
	"mirror run":            "use `ecrkit mirror apply CONFIG`",
	"mirror sync":           "use `ecrkit mirror apply CONFIG`",
	"scan run":              "use `ecrkit scan start REF`, and then `ecrkit scan wait REF`",
	"env":                   "use `ecrkit local env` for a local ECR, and `ecrkit help environment` for the variables",
}

// unknownCommand is the error of a word that is not a command below cmd.
func unknownCommand(cmd *cobra.Command, word string) error {
	name := strings.TrimSpace(strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()) + " " + word)
	if pointer := pointers[name]; pointer != "" {
		return usagef("there is no command %q; %s", name, pointer)
	}
	if near := nearCommands(cmd, word); len(near) > 0 {
		for i := range near {
			near[i] = strings.TrimSuffix(name, word) + near[i]
		}
		return usagef("there is no command %q; did you mean %s?", name, or(near))
	}
	if verb := otherVerb(cmd, word); verb != "" {
		return usagef("there is no command %q; did you mean %s?", name, strings.TrimSuffix(name, word)+verb)
	}
	if strings.ContainsAny(word, "/:@") && cmd.HasParent() {
		var names []string
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				names = append(names, sub.Name())
			}
		}
		return usagef("%s stands where a command of %s is expected, such as %s; see %s --help", word, cmd.CommandPath(), or(names[:min(3, len(names))]), cmd.CommandPath())
	}
	return usagef("there is no command %q; see %s --help", name, cmd.CommandPath())
}

// verbs are words for the same, of which each group of commands has one.
var verbs = [][]string{
	{"rm", "remove", "delete", "del", "end", "unset"},
	{"ls", "list"},
	{"get", "show", "describe", "view", "print", "ls", "list"},
	{"set", "put", "add", "create", "new", "update", "edit", "apply", "start"},
	{"status", "check", "validate", "test", "info", "get"},
	{"stop", "cancel", "abort", "end"},
}

// otherVerb returns the command below cmd that has another word for the same, or "".
func otherVerb(cmd *cobra.Command, word string) string {
	for _, same := range verbs {
		if !slices.Contains(same, strings.ToLower(word)) {
			continue
		}
		for _, verb := range same {
			if slices.ContainsFunc(cmd.Commands(), func(sub *cobra.Command) bool { return sub.IsAvailableCommand() && sub.Name() == verb }) {
				return verb
			}
		}
	}
	return ""
}

// nearCommands returns the commands below cmd that are like the word, or begin with it.
func nearCommands(cmd *cobra.Command, word string) []string {
	var names []string
	for _, sub := range cmd.Commands() {
		if !sub.IsAvailableCommand() && !sub.IsAdditionalHelpTopicCommand() {
			continue
		}
		if strings.HasPrefix(sub.Name(), strings.ToLower(word)) {
			return []string{sub.Name()}
		}
		names = append(names, sub.Name())
	}
	return nearest.Names(strings.ToLower(word), names)
}

// sharingBeginning returns the names that begin with a word, such as immutable-tags with immutable, or with which it begins, as
// address with addr; nothing if there are many.
func sharingBeginning(word string, names []string) []string {
	var found []string
	for _, name := range names {
		if min(len(word), len(name)) >= 3 && (strings.HasPrefix(name, word) || strings.HasPrefix(word, name)) {
			found = append(found, name)
		}
	}
	if len(found) > 3 {
		return nil
	}
	return found
}

// flagError is the error of a flag that cmd cannot read, with the flag that may be meant.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) {
		// The flag is that of a command that does not exist: the word before it is the mistake.
		if words := cmd.Flags().Args(); cmd.HasSubCommands() && len(words) > 0 {
			return unknownCommand(cmd, words[0])
		}
		if text := habit(cmd, unknown.GetSpecifiedName()); text != "" {
			return usagef("%w; %s", err, text)
		}
	}
	if unknown != nil && unknown.GetSpecifiedShortnames() == "" {
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden {
				names = append(names, f.Name)
			}
		})
		near := nearest.Names(unknown.GetSpecifiedName(), names)
		if len(near) == 0 {
			near = sharingBeginning(unknown.GetSpecifiedName(), names)
		}
		if len(near) > 0 {
			for i := range near {
				near[i] = "--" + near[i]
			}
			return usagef("%w; did you mean %s?", err, or(near))
		}
	}
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) {
		if want := wanted(invalid); want != "" {
			return usagef("invalid argument %q for --%s: must be %s; see %s --help", invalid.GetValue(), invalid.GetFlag().Name, want, cmd.CommandPath())
		}
	}
	return usagef("%w; see %s --help", err, cmd.CommandPath())
}

// wanted returns what a flag takes whose value package strconv or time refused; "" of others.
func wanted(err *pflag.InvalidValueError) string {
	if n, ok := err.GetFlag().Value.(*numberFlag); ok {
		return n.wants()
	}
	switch err.GetFlag().Value.Type() {
	case "int", "int64":
		return "a whole number"
	case "uint", "uint64":
		return "a whole number, 0 or more"
	case "bool":
		return "true or false"
	case "duration":
		return "a duration, such as 90s or 5m"
	}
	return ""
}
