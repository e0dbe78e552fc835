// Package warm answers the credential helper's most frequent question, a get
// whose token is in the cache, without the AWS SDK: to link the SDK into a
// program more than doubles the time that it takes to start. What it does not
// know for certain it leaves to package helper. What it may import is said in
// package tokenfile.
package warm

import (
	"io"
	"os"
	"strings"

	"github.com/docker/docker-credential-helpers/credentials"

	"github.com/ecrkit/ecrkit/internal/environ"
	"github.com/ecrkit/ecrkit/internal/tokenfile"
)

// MaxInput bounds what is read of stdin, in bytes.
const MaxInput = 1 << 20

// Answer writes the answer to a get of host, and gives the exit code. ok is false
// if it does not know the answer; then nothing is written. variables are those of
// the environment, as [os.Environ] gives them.
func Answer(host string, variables []string, stdout io.Writer) (code int, ok bool) {
	env := environ.Of(variables)
	// A log is to tell each decision.
	if host == "" || env.Get("ECRKIT_LOG") != "" {
		return 0, false
	}
	if foreign(host, env) {
		_, _ = io.WriteString(stdout, credentials.NewErrCredentialsNotFound().Error()+"\n")
		return 1, true
	}
	dir := CacheDir(env)
	if dir == "" {
		return 0, false
	}
	cache := tokenfile.Dir{Path: dir}
	secret, ok := cache.Follow(Request(host, variables))
	if !ok || !plain(host) || !plain(secret) {
		return 0, false
	}
	if _, err := stdout.Write([]byte(`{"ServerURL":"` + host + `","Username":"AWS","Secret":"` + secret + "\"}\n")); err != nil {
		return 1, true
	}
	return 0, true
}

// plain says that a string stands for itself in JSON.
func plain(s string) bool {
	for _, c := range []byte(s) {
		if c < ' ' || c > '~' || strings.IndexByte(`"\<>&`, c) >= 0 {
			return false
		}
	}
	return true
}

// foreign says that a host is certainly not of ECR: each name of ECR has these
// letters, and others are only known from the configuration.
func foreign(host string, env environ.Lookup) bool {
	if strings.Contains(strings.ToLower(host), "ecr") || env.Get("ECRKIT_REGISTRIES") != "" {
		return false
	}
	_, err := os.Stat(env.ConfigFile())
	return os.IsNotExist(err)
}

// CacheDir is the directory of the token cache, as far as the environment alone
// tells; "" if there is none. The configuration file may name another.
func CacheDir(env environ.Lookup) string {
	if env.Get("AWS_ECR_DISABLE_CACHE") != "" || env.Home() == "" {
		return ""
	}
	if dir := env.ChosenCache(); dir != "" {
		return dir
	}
	return env.DefaultCache()
}
