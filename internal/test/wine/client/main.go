//go:build windows

// Command client does on Windows what the tests need beside ecrkit itself:
//
//	client login HOST               prints the user that docker's own code finds in docker's configuration
//	client hold FILE                opens a file as most programs do, so that it cannot be replaced, until stdin ends
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/docker/cli/cli/config"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "client:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return errors.New("a command and its argument are needed")
	}
	switch args[0] {
	case "login":
		return login(args[1])
	case "hold":
		return hold(args[1])
	}
	return fmt.Errorf("%s is not a command", args[0])
}

// login asks the helper that docker's configuration names for a host.
func login(host string) error {
	auth, err := config.LoadDefaultConfigFile(os.Stderr).GetAuthConfig(host)
	if err != nil {
		return err
	}
	fmt.Println(auth.Username, len(auth.Password) > 0)
	return nil
}

// hold opens a file to which others may write but which they cannot remove or rename, as package os does.
func hold(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	fmt.Println("open")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}
