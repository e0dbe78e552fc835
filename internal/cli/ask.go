package cli

import (
	"bufio"
	"context"
	"fmt"
	"strings"
)

// ask asks a question on the terminal, and takes y or yes for yes; a line that Ctrl-D ends is no answer. The caller has
// checked that Stdin is one (App.Interactive).
func (app *App) ask(ctx context.Context, question string) (yes bool, err error) {
	fmt.Fprintf(app.Stderr, "%s [y/N] ", question)
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(app.Stdin).ReadString('\n')
		answer <- strings.ToLower(line)
	}()
	select {
	case line := <-answer:
		line, ended := strings.CutSuffix(line, "\n")
		if !ended {
			fmt.Fprintln(app.Stderr) // the cursor is still behind the question
		}
		line = strings.TrimSpace(line)
		return ended && (line == "y" || line == "yes"), nil
	case <-ctx.Done():
		fmt.Fprintln(app.Stderr)
		return false, ctx.Err()
	}
}
