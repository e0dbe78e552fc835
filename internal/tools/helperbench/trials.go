package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/ecrkit/ecrkit/internal/test/fakeaws"
	"github.com/ecrkit/ecrkit/internal/test/helpertrial"
)

const host = helpertrial.Host

// trials are run in this order.
var trials = []struct {
	name string
	run  func(*helpertrial.Trial) (string, error)
}{
	{"64 processes, one identity, empty cache, API takes 300 ms: calls", together},
	{"64 processes, 64 identities: calls, then calls of a second round", apart},
	{"100 gets, chained roles: calls to ECR, to STS", profile("yxa")},
	{"100 gets, SSO: calls to ECR, to the SSO portal", profile("sso-admin")},
	{"100 gets, web identity with a rotating token file: calls to ECR, to STS", webIdentity},
	{"10 registries of one identity: calls", registries},
	{"access denied after half of the token's life: exit code", refused},
	{"token expired, API down: exit code", ended},
	{"no credentials, silent metadata service: first get, second get", blackHole},
	{"7 corrupt cache files: failures", corrupt},
}

func together(t *helpertrial.Trial) (string, error) {
	keys := t.World.Principals.User("A").Env()
	t.World.ECR.SetFault("GetAuthorizationToken", fakeaws.Fault{Latency: 300 * time.Millisecond})
	_, err := t.Together(64, host, func(int) []string { return keys })
	return fmt.Sprint(t.Minted()), err
}

func apart(t *helpertrial.Trial) (string, error) {
	keys := func(i int) []string { return t.World.Principals.User(fmt.Sprintf("U%d", i)).Env() }
	if _, err := t.Together(64, host, keys); err != nil {
		return "", err
	}
	first := t.Minted()
	_, err := t.Together(64, host, keys)
	return fmt.Sprintf("%d; %d", first, t.Minted()-first), err
}

func profile(name string) func(*helpertrial.Trial) (string, error) {
	return func(t *helpertrial.Trial) (string, error) {
		if _, err := t.Identities(); err != nil {
			return "", err
		}
		for range 100 {
			if _, err := t.Get(host, "AWS_PROFILE="+name); err != nil {
				return "", err
			}
		}
		return fmt.Sprintf("%d, %d", t.Minted(), t.Assumed()+t.World.Portal.Count("GetRoleCredentials")), nil
	}
}

func webIdentity(t *helpertrial.Trial) (string, error) {
	file := fakeaws.TokenFile{Path: filepath.Join(t.Home, "jwt"), Claims: fakeaws.Claims{Subject: "sub"}}
	for range 100 {
		if _, err := file.Rotate(); err != nil {
			return "", err
		}
		if _, err := t.Get(host, "AWS_WEB_IDENTITY_TOKEN_FILE="+file.Path, "AWS_ROLE_ARN=arn:aws:iam::123456789012:role/X"); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d, %d", t.Minted(), t.Assumed()), nil
}

func registries(t *helpertrial.Trial) (string, error) {
	keys := t.World.Principals.User("A").Env()
	for i := range 10 {
		if _, err := t.Get(fmt.Sprintf("%012d.dkr.ecr.us-east-1.amazonaws.com", i), keys...); err != nil {
			return "", err
		}
	}
	return fmt.Sprint(t.Minted()), nil
}

func refused(t *helpertrial.Trial) (string, error) {
	return aged(t, 7*time.Hour, fakeaws.Fault{Status: 400, Code: "AccessDeniedException", Message: "no"})
}

func ended(t *helpertrial.Trial) (string, error) {
	return aged(t, 13*time.Hour, fakeaws.Fault{Status: 500})
}

func aged(t *helpertrial.Trial, age time.Duration, fault fakeaws.Fault) (string, error) {
	keys := t.World.Principals.User("A").Env()
	if _, err := t.Get(host, keys...); err != nil {
		return "", err
	}
	if err := t.Age(age); err != nil {
		return "", err
	}
	t.World.ECR.SetFault("GetAuthorizationToken", fault)
	a, err := t.Run("get", host, keys...)
	return fmt.Sprint(a.Code), err
}

func blackHole(t *helpertrial.Trial) (string, error) {
	var took [2]time.Duration
	for i := range took {
		start := time.Now()
		if _, err := t.Run("get", host, "AWS_EC2_METADATA_SERVICE_ENDPOINT="+t.World.BlackHole.URL); err != nil {
			return "", err
		}
		took[i] = time.Since(start)
	}
	return fmt.Sprintf("%.2f s, %.3f s", took[0].Seconds(), took[1].Seconds()), nil
}

func corrupt(t *helpertrial.Trial) (string, error) {
	keys := t.World.Principals.User("A").Env()
	if _, err := t.Get(host, keys...); err != nil {
		return "", err
	}
	files, err := t.CacheFiles()
	if err != nil {
		return "", err
	}
	failures := 0
	for _, text := range []string{"", "null", "[]", "{", `{"Registries":null,"Version":"1.0"}`, `{"Registries":{"a":null},"Version":"1.0"}`, "\xff"} {
		for _, path := range files {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				return "", err
			}
		}
		if a, err := t.Run("get", host, keys...); err != nil || a.Secret == "" {
			failures++
		}
	}
	return fmt.Sprint(failures), nil
}
