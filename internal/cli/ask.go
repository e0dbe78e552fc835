package cli

import (
	"bufio"
	"context"
	"fmt"
	"strings"
)

// ask asks a question on the terminal, and takes y or yes for yes. The caller has
// checked that Stdin is one (App.Interactive).
func (app *App) ask(ctx context.Context, question string) (yes bool, err error) {
	fmt.Fprintf(app.Stderr, "%s [y/N] ", question)
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(app.Stdin).ReadString('\n')
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case line := <-answer:
		return line == "y" || line == "yes", nil
	case <-ctx.Done():
		fmt.Fprintln(app.Stderr)
		return false, ctx.Err()
	}
}
