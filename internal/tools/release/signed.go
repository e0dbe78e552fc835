package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// signRelease signs SHA256SUMS, which covers all files, and states the provenance of the archives, with
// the ecrkit that is released, built for this machine. The key is named as for `ecrkit sign`; the
// signatures differ from run to run.
func signRelease(ctx context.Context, program, key, out, provenance string, predicate []byte, subjects []file) error {
	sums := filepath.Join(out, "SHA256SUMS")
	if err := runEcrkit(ctx, program, nil, "sign-blob", "--key", key, "--bundle", sums+".sigstore.json", "--output-signature", sums+".sig", sums); err != nil {
		return err
	}
	args := []string{"attest-blob", "--key", key, "--type", "slsaprovenance1", "--predicate", "-", "--bundle", filepath.Join(out, provenance+".sigstore.json")}
	for _, f := range subjects {
		args = append(args, filepath.Join(out, f.name))
	}
	return runEcrkit(ctx, program, predicate, args...)
}

func runEcrkit(ctx context.Context, program string, stdin []byte, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Stdin = os.Stdin // for a password
	if stdin != nil {
		cmd.Stdin = strings.NewReader(string(stdin))
	}
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("ecrkit %s: %w", args[0], err)
	}
	return nil
}
