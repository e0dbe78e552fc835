package cli

import (
	"fmt"
	"os/exec"

	"github.com/ecrkit/ecrkit/internal/dockerconfig"
)

// dockerAnswer is the JSON form of from where docker takes the credentials of a host.
type dockerAnswer struct {
	File    string `json:"file"`
	SetBy   string `json:"setBy,omitempty"`   // credHelpers, credsStore or auths
	Helper  string `json:"helper,omitempty"`  // of docker-credential-HELPER
	Program string `json:"program,omitempty"` // its path; "" if it is not in PATH
	Stored  bool   `json:"stored,omitempty"`  // there is a password in auths
	Problem string `json:"problem,omitempty"`
}

// newDockerAnswer reads what docker's or podman's file says of a host, and looks for the helper.
func newDockerAnswer(file *dockerconfig.File, host string) (dockerAnswer, error) {
	answer, err := file.Answer(host)
	if err != nil {
		return dockerAnswer{}, err
	}
	d := dockerAnswer{File: file.Path(), SetBy: answer.SetBy, Helper: answer.Helper, Stored: len(answer.Stored) > 0}
	if d.Helper != "" {
		d.Program, _ = exec.LookPath(d.program()) // "" if there is none
	}
	switch {
	case d.SetBy == "":
		d.Problem = "docker has no credentials for the host"
	case d.SetBy == dockerconfig.SetByAuths:
		d.Problem = "docker uses a stored password, which expires after 12 hours"
	case d.Helper != helperName:
		d.Problem = "docker does not ask docker-credential-ecrkit"
	case d.Program == "":
		d.Problem = d.program() + " is not in PATH"
	}
	return d, nil
}

// installHelper is what to do where docker asks our helper and cannot find it.
const installHelper = "install docker-credential-ecrkit in a directory of PATH"

// advice is what to do about the problem.
func (d dockerAnswer) advice(host string) string {
	if d.Helper == helperName {
		return installHelper
	}
	return fmt.Sprintf("run `ecrkit auth setup %s`", host)
}

func (d dockerAnswer) program() string { return "docker-credential-" + d.Helper }

// String is what docker does, for people.
func (d dockerAnswer) String() string {
	text := ""
	switch {
	case d.SetBy == "":
		return fmt.Sprintf("no credentials (%s)", d.File)
	case d.SetBy == dockerconfig.SetByAuths:
		return fmt.Sprintf("a password that docker login stored (auths of %s)", d.File)
	case d.Program == "":
		text = fmt.Sprintf("asks %s, which is not in PATH (%s of %s)", d.program(), d.SetBy, d.File)
	default:
		text = fmt.Sprintf("asks %s (%s of %s)", d.Program, d.SetBy, d.File)
	}
	if d.Stored {
		text += "; programs without helpers use the password in auths"
	}
	return text
}
