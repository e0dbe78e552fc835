package startup

import (
	"io"
	"os"

	"github.com/ecrkit/ecrkit/internal/tokenfile"
)

// MaxInput bounds what is read of stdin, in bytes.
const MaxInput = 1 << 20

// notFound is the text of credentials.NewErrCredentialsNotFound in
// github.com/docker/docker-credential-helpers, by which clients know it.
const notFound = "credentials not found in native keychain"

// Answer writes the answer to a get of host and returns the exit code. It reports
// false and writes nothing if it does not know the answer. variables are those of
// the environment, as [os.Environ] returns them.
func Answer(host string, variables []string, stdout io.Writer) (code int, ok bool) {
	env := EnvironmentOf(variables)
	// The log is to show each decision.
	if host == "" || env.Get("ECRKIT_LOG") != "" {
		return 0, false
	}
	if foreign(host, env) {
		_, _ = io.WriteString(stdout, notFound+"\n")
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

// plain reports whether a string stands for itself in JSON.
func plain(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ', c > '~', c == '"', c == '\\', c == '<', c == '>', c == '&':
			return false
		}
	}
	return true
}

// foreign reports whether a host is certainly not an Amazon ECR registry: each
// name of Amazon ECR has these letters, and only the configuration adds others.
func foreign(host string, env Environment) bool {
	for i := range len(host) {
		if hasPrefixFold(host[i:], "ECR") {
			return false
		}
	}
	if env.Get("ECRKIT_REGISTRIES") != "" {
		return false
	}
	config := env.ConfigFile()
	if config == "" {
		return false
	}
	_, err := os.Stat(config)
	return os.IsNotExist(err)
}

// CacheDir returns the directory of the token cache as far as the environment
// alone decides, or "". The configuration file may name another.
func CacheDir(env Environment) string {
	if env.Get("AWS_ECR_DISABLE_CACHE") != "" || env.Home() == "" {
		return ""
	}
	if dir := env.ChosenCache(); dir != "" {
		return dir
	}
	return env.DefaultCache()
}
