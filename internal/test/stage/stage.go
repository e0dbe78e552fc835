// Package stage sets the scene for the demonstration, the interoperability tests and the benchmark: the
// commands built from this checkout, a local ECR that runs, and two small images of one program.
package stage

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const module = "github.com/ecrkit/ecrkit"

// Commands builds ecrkit and docker-credential-ecrkit for this machine into dir.
// The working directory has to be inside the checkout.
func Commands(ctx context.Context, dir string) error {
	return build(ctx, dir, module+"/cmd/...")
}

// build runs go build for static binaries; env adds to the environment (GOOS=…).
func build(ctx context.Context, dir, packages string, env ...string) error {
	// go build leaves its temporary files when it is interrupted at the wrong moment.
	tmp, err := os.MkdirTemp("", "ecrkit-build-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	cmd := command(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", dir+string(filepath.Separator), packages)
	cmd.Env = append(append(os.Environ(), "CGO_ENABLED=0", "GOTMPDIR="+tmp), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build %s: %w\n%s", packages, err, strings.TrimSpace(string(out)))
	}
	return nil
}
