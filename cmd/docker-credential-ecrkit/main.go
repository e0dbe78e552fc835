// Command docker-credential-ecrkit gives docker, podman, skopeo, crane and
// others the authorization token of Amazon ECR by the credential helper protocol.
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/docker/docker-credential-helpers/credentials"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/internal/version"
)

const usage = `docker-credential-ecrkit gets the password for Amazon ECR by itself: no docker
login, no 12-hour token to think about. It is run by docker, podman, buildx,
skopeo, crane and others for the hosts that ~/.docker/config.json names:

  {
    "credHelpers": {
      "123456789012.dkr.ecr.us-east-1.amazonaws.com": "ecrkit"
    }
  }

usage: docker-credential-ecrkit get|store|erase|list|version

  get      read a registry host from stdin, print its credentials as JSON
  store    accept credentials and store nothing, so that docker login works
  erase    nothing is stored, so nothing is erased
  list     print {}: nothing is stored
  version  print the version

AWS credentials are found as the AWS CLI finds them (AWS_PROFILE, ...).
ECRKIT_REGISTRIES says which registry is behind a host that is no ECR name:
ECRKIT_REGISTRIES="127.0.0.1:4510=000000000000.us-east-1,...".
`

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.LookupEnv))
}

// run answers one command. By the protocol an error is told on stdout, with exit
// code 1.
func run(args []string, stdin io.Reader, stdout io.Writer, env func(string) (string, bool)) int {
	if len(args) != 1 {
		fmt.Fprint(stdout, usage)
		return 1
	}
	credentials.Name = "docker-credential-ecrkit"
	credentials.Package = "github.com/ecrkit/ecrkit"
	credentials.Version = version.String()
	action := args[0]
	switch action {
	case "--help", "-h", "help":
		fmt.Fprint(stdout, usage)
		return 0
	case "--version", "-v":
		action = credentials.ActionVersion
	}
	value, _ := env(auth.MappingVariable)
	mapping, err := auth.ParseMapping(value)
	if err != nil && action == credentials.ActionGet {
		fmt.Fprintf(stdout, "%s: %v\n", auth.MappingVariable, err)
		return 1
	}
	helper := &auth.Helper{Tokens: &auth.Minter{}, Mapping: mapping}
	if err := credentials.HandleCommand(helper, action, stdin, stdout); err != nil {
		fmt.Fprintln(stdout, err)
		return 1
	}
	return 0
}
