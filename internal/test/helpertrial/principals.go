package helpertrial

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/ecrkit/ecrkit/internal/test/fakeaws"
)

// Identity is an environment, and the principal that it stands for.
type Identity struct {
	Env       []string
	Principal string
	// Asked reports that whose credentials they are is known only when they were obtained: a get connects.
	Asked bool
}

// Identities sets up the home directory of a trial for many principals, among
// them different roles of one account, one role from different users, and a
// credential_process that is another principal each time the test wants it.
func (t *Trial) Identities() ([]Identity, error) {
	w := t.World
	a, b := w.Principals.User("A"), w.Principals.User("B")
	process := filepath.Join(t.Home, "process.json")
	script := filepath.Join(t.Home, "process")
	config := fmt.Sprintf(`[profile a]
%s
[profile b]
%s
[profile xa]
role_arn = arn:aws:iam::123456789012:role/X
source_profile = a
[profile xb]
role_arn = arn:aws:iam::123456789012:role/X
source_profile = b
[profile ya]
role_arn = arn:aws:iam::123456789012:role/Y
source_profile = a
[profile xa1]
role_arn = arn:aws:iam::123456789012:role/X
external_id = 1
source_profile = a
[profile yxa]
role_arn = arn:aws:iam::123456789012:role/Y
source_profile = xa
[sso-session corp]
sso_start_url = %s
sso_region = us-east-1
[profile sso-admin]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = Admin
[profile sso-reader]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = Reader
[profile process]
credential_process = %s
`, a.INI(), b.INI(), fakeaws.StartURL, script)
	if err := fakeaws.WriteConfig(t.Home, config); err != nil {
		return nil, err
	}
	if err := os.WriteFile(script, []byte("#!/bin/sh\ncat "+process+".$ECRKIT_TRIAL\n"), 0o700); err != nil {
		return nil, err
	}
	for _, name := range []string{"C", "D"} {
		if err := os.WriteFile(process+"."+name, []byte(w.Principals.User(name).ProcessJSON()), 0o600); err != nil {
			return nil, err
		}
	}
	w.Portal.SetUser("user1", fakeaws.Assignment{Account: fakeaws.Account, Role: "Admin"}, fakeaws.Assignment{Account: fakeaws.Account, Role: "Reader"})
	w.Portal.SetUser("user2", fakeaws.Assignment{Account: fakeaws.Account, Role: "Admin"}, fakeaws.Assignment{Account: fakeaws.Account, Role: "Reader"})
	if err := t.LogIn("user1"); err != nil {
		return nil, err
	}
	w.Metadata.SetRole("web")
	w.Container.SetTasks(fakeaws.Task{Principal: "task/1", Path: "/task/1"}, fakeaws.Task{Principal: "task/2", Path: "/task/2"})
	list := []Identity{
		{Env: []string{"AWS_PROFILE=a"}, Principal: "user/A"},
		{Env: []string{"AWS_PROFILE=b"}, Principal: "user/B"},
		{Env: append(b.Env(), "AWS_PROFILE=a"), Principal: "user/B"},
		{Env: []string{"AWS_PROFILE=xa"}, Principal: "role/X<user/A"},
		{Env: []string{"AWS_PROFILE=xb"}, Principal: "role/X<user/B"},
		{Env: []string{"AWS_PROFILE=ya"}, Principal: "role/Y<user/A"},
		{Env: []string{"AWS_PROFILE=xa1"}, Principal: "role/X[ext=1]<user/A"},
		{Env: []string{"AWS_PROFILE=yxa"}, Principal: "role/Y<role/X<user/A"},
		{Env: []string{"AWS_PROFILE=sso-admin"}, Principal: "sso/123456789012/Admin/user1"},
		{Env: []string{"AWS_PROFILE=sso-reader"}, Principal: "sso/123456789012/Reader/user1"},
		{Env: []string{"AWS_PROFILE=process", "ECRKIT_TRIAL=C"}, Principal: "user/C"},
		{Env: []string{"AWS_PROFILE=process", "ECRKIT_TRIAL=D"}, Principal: "user/D"},
		{Env: []string{"AWS_CONTAINER_CREDENTIALS_FULL_URI=" + w.Container.URL + "/task/1"}, Principal: "task/1", Asked: true},
		{Env: []string{"AWS_CONTAINER_CREDENTIALS_FULL_URI=" + w.Container.URL + "/task/2"}, Principal: "task/2", Asked: true},
		{Principal: "imds/web", Asked: true},
	}
	for _, subject := range []string{"sub1", "sub2"} {
		file := fakeaws.TokenFile{Path: filepath.Join(t.Home, subject+".jwt"), Claims: fakeaws.Claims{Subject: subject}}
		if _, err := file.Rotate(); err != nil {
			return nil, err
		}
		list = append(list, Identity{Env: []string{"AWS_WEB_IDENTITY_TOKEN_FILE=" + file.Path, "AWS_ROLE_ARN=arn:aws:iam::123456789012:role/X"}, Principal: "webid/X/" + subject})
	}
	return list, nil
}

// LogIn logs a user in to the SSO session "corp".
func (t *Trial) LogIn(user string) error {
	_, err := t.World.Portal.Login(t.Home, fakeaws.Login{User: user, Session: "corp"})
	return err
}
