package cli

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

const completionBashHelp = `Write the completion of ecrkit for bash, which works with and without the package bash-completion.

  source <(ecrkit completion bash)
  ecrkit completion bash >> ~/.bash_completion

The first command is for the shell that runs it. The second is for all new shells, if bash-completion
is installed; without it, put the first command into ~/.bashrc. It works with bash 3.2 of macOS too,
where "source /dev/stdin <<< "$(ecrkit completion bash)"" replaces the first command.`

const completionZshHelp = `Write the completion of ecrkit for zsh.

  source <(ecrkit completion zsh)
  ecrkit completion zsh > "${fpath[1]}/_ecrkit"

The first command is for the shell that runs it, or for all new shells in ~/.zshrc; it starts zsh's
completion system if nothing else has. The second is for all new shells in which compinit runs.`

// bashFallbacks are the two functions of the package bash-completion that the script of cobra needs,
// for shells without it: words that bash splits at : and = are put together again.
const bashFallbacks = `
if ! declare -F _get_comp_words_by_ref >/dev/null; then
    _get_comp_words_by_ref() {
        local i word rest=$COMP_LINE joins=
        words=()
        for ((i = 0; i < ${#COMP_WORDS[@]}; i++)); do
            word=${COMP_WORDS[i]}
            if [[ $i -gt 0 && $rest != [[:space:]]* && ( $word == [:=]* || -n $joins ) ]]; then
                words[${#words[@]}-1]=${words[${#words[@]}-1]}$word
            else
                words[${#words[@]}]=$word
            fi
            joins=
            [[ $word == *[:=] ]] && joins=1
            rest=${rest#"${rest%%[![:space:]]*}"}
            rest=${rest#"$word"}
            if ((i == COMP_CWORD)); then
                cword=$((${#words[@]}-1))
                break
            fi
        done
        cur=${words[cword]}
        prev=
        ((cword > 0)) && prev=${words[cword-1]}
        return 0
    }
fi
if ! declare -F __ltrim_colon_completions >/dev/null; then
    __ltrim_colon_completions() {
        local i prefix
        if [[ $1 == *:* && $COMP_WORDBREAKS == *:* ]]; then
            prefix=${1%"${1##*:}"}
            for ((i = 0; i < ${#COMPREPLY[@]}; i++)); do
                COMPREPLY[i]=${COMPREPLY[i]#"$prefix"}
            done
        fi
    }
fi

`

// zshStart starts the completion system of a zsh that has none yet.
const zshStart = "(( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i }\n"

// completeWithoutPackages has cobra's completion scripts for bash and zsh work in shells that have set
// up nothing.
func completeWithoutPackages(app *App, root *cobra.Command) {
	if cmd, _, err := root.Find([]string{"completion"}); err == nil && cmd.Name() == "completion" {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return unknownCommand(cmd, args[0])
		}
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	}
	replace := func(shell, help string, write func(w io.Writer, descriptions bool) error) {
		cmd, _, err := root.Find([]string{"completion", shell})
		if err != nil || cmd.Name() != shell {
			return
		}
		cmd.Long = help
		cmd.RunE = func(cmd *cobra.Command, _ []string) error {
			plain, err := cmd.Flags().GetBool("no-descriptions")
			if err != nil {
				return err
			}
			return write(app.Stdout, !plain)
		}
	}
	replace("bash", completionBashHelp, func(w io.Writer, descriptions bool) error {
		var script bytes.Buffer
		if err := root.GenBashCompletionV2(&script, descriptions); err != nil {
			return err
		}
		_, err := fmt.Fprint(w, "# shellcheck shell=bash disable=all\n", bashFallbacks, script.String())
		return err
	})
	replace("zsh", completionZshHelp, func(w io.Writer, descriptions bool) error {
		var script bytes.Buffer
		generate := root.GenZshCompletion
		if !descriptions {
			generate = root.GenZshCompletionNoDesc
		}
		if err := generate(&script); err != nil {
			return err
		}
		first, rest, _ := strings.Cut(script.String(), "\n") // #compdef ecrkit has to be the first line
		_, err := fmt.Fprint(w, first, "\n", zshStart, rest)
		return err
	})
}
