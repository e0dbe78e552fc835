#!/usr/bin/env bash
# Amazon's credential helper calls every failure "credentials not found", so docker goes on without credentials and
# without an error.
#
# Guess:   when AWS refuses the helper (an expired session, no permission, no network), docker ends with that error.
# Because: the helper protocol has one special message, for "nothing is stored for this host", and a helper that makes
#          tokens stores nothing. Docker stops at any other error of a helper and prints it.
# Really:  docker-credential-ecr-login writes the reason to its log file and answers with the special message. Docker's
#          package takes that for "no login" and returns no error, so the request is anonymous, and what the user reads
#          is the registry's refusal. "list" has exit code 0 and an empty list in the same state.
# Seen:    2026-11-29, Go 1.26.8, ecr-login v0.12.0, docker/cli v29.7.2; a server in the program plays ECR
# Output:  get: exit code 1, credentials not found in native keychain
#          list: exit code 0, {}
#          reason in the log: true
#          docker with this helper: user "", error <nil>
#          docker with a helper that prints the reason: user "", error true
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > docker-credential-plain <<'EOF'
#!/bin/sh
echo 'the security token is expired'
exit 1
EOF
chmod +x docker-credential-plain
cat > go.mod <<'EOF'
module finding

go 1.26

require (
	github.com/awslabs/amazon-ecr-credential-helper/ecr-login v0.12.0
	github.com/docker/cli v29.7.2+incompatible
	github.com/docker/docker-credential-helpers v0.9.12
	github.com/sirupsen/logrus v1.9.4
)
EOF
cat > main.go <<'EOF'
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"

	"github.com/docker/cli/cli/config"
)

const host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"

func want(what string, got, want any) {
	fmt.Printf("%s: %v\n", what, got)
	if fmt.Sprint(got) != fmt.Sprint(want) {
		fmt.Println("CHANGED, expected:", want)
		os.Exit(1)
	}
}

func helper(action, input string) string {
	command := exec.Command("docker-credential-ecr-login", action)
	command.Stdin = strings.NewReader(input)
	out, err := command.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		panic(err)
	}
	return fmt.Sprintf("exit code %d, %s", command.ProcessState.ExitCode(), bytes.TrimSpace(out))
}

func docker(name string) (string, error) {
	file, err := config.LoadFromReader(strings.NewReader(`{"credHelpers": {"` + host + `": "` + name + `"}}`))
	if err != nil {
		panic(err)
	}
	auth, err := file.GetAuthConfig(host)
	return auth.Username, err
}

func main() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, `{"__type": "ExpiredTokenException", "message": "The security token is expired"}`)
	}))
	defer server.Close()
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "example", "AWS_REGION": "eu-west-1",
		"AWS_ENDPOINT_URL": server.URL, "AWS_CONFIG_FILE": "none", "AWS_SHARED_CREDENTIALS_FILE": "none",
		"AWS_ECR_CACHE_DIR": "cache",
	} {
		os.Setenv(name, value)
	}
	want("get", helper("get", host), "exit code 1, credentials not found in native keychain")
	want("list", helper("list", ""), "exit code 0, {}")
	log, err := os.ReadFile("cache/log/ecr-login.log")
	if err != nil {
		panic(err)
	}
	want("reason in the log", bytes.Contains(log, []byte("ExpiredTokenException")), true)
	user, err := docker("ecr-login")
	want("docker with this helper", fmt.Sprintf("user %q, error %v", user, err), `user "", error <nil>`)
	user, err = docker("plain")
	want("docker with a helper that prints the reason", fmt.Sprintf("user %q, error %v", user, err != nil), `user "", error true`)
}
EOF
go build -o docker-credential-ecr-login github.com/awslabs/amazon-ecr-credential-helper/ecr-login/cli/docker-credential-ecr-login
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
env -u AWS_PROFILE -u AWS_SESSION_TOKEN -u DOCKER_AUTH_CONFIG PATH="$dir:$PATH" ./finding
