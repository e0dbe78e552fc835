//go:build !unix

package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// session is not for this system: each command is a process.
func session() {}

func buildClient(*testing.T) string { return "" }

func useSession(*testscript.Env, string) error { return nil }
