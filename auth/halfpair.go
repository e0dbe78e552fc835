package auth

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"github.com/ecrkit/ecrkit/internal/lazyregexp"
)

// halfPair is an access key of which one half is missing.
type halfPair struct{ set, missing, where string } // where is "" in the environment

// half returns the half of an access key that the environment has, or nil. The SDK
// passes over it.
func (env Environment) half() *halfPair {
	const id, secret = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"
	hasID, hasSecret := env.get(id, "AWS_ACCESS_KEY") != "", env.get(secret, "AWS_SECRET_KEY") != ""
	switch {
	case hasID && !hasSecret:
		return &halfPair{set: id, missing: secret}
	case hasSecret && !hasID:
		return &halfPair{set: secret, missing: id}
	}
	return nil
}

// partialCredentials is what the SDK says of a profile that has half of an access key. A
// file with several profiles has its "profile " in the name.
var partialCredentials = lazyregexp.New(`partial credentials found for profile (?:profile )?(\S+)`)

// halfOfProfile returns the half that a profile has in one of the shared files, of which
// the SDK has said so in err; nil if err is another.
func halfOfProfile(err error, paths []string) *halfPair {
	match := partialCredentials.FindStringSubmatch(err.Error())
	if match == nil {
		return nil
	}
	const id, secret = "aws_access_key_id", "aws_secret_access_key"
	for _, path := range paths {
		keys := keysOfProfile(path, match[1])
		half := halfPair{where: fmt.Sprintf(" in profile %s of %s", match[1], path)}
		switch {
		case keys[id] && !keys[secret]:
			half.set, half.missing = id, secret
			return &half
		case keys[secret] && !keys[id]:
			half.set, half.missing = secret, id
			return &half
		}
	}
	return nil
}

// keysOfProfile returns the names, in lower case, that a shared file sets in a profile.
// It is for a message alone: the SDK has read the file before.
func keysOfProfile(path, profile string) map[string]bool {
	keys := map[string]bool{}
	f, err := os.Open(path)
	if err != nil {
		return keys
	}
	defer f.Close()
	within := false
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		if name, ok := strings.CutPrefix(line, "["); ok {
			name, _, _ = strings.Cut(name, "]")
			name = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(name), "profile "))
			within = name == profile
			continue
		}
		if key, _, ok := strings.Cut(line, "="); ok && within {
			keys[strings.ToLower(strings.TrimSpace(key))] = true
		}
	}
	return keys
}

// halfPairError is a lack of credentials for want of half an access key. It wraps err,
// which wraps [ErrNoCredentials].
type halfPairError struct {
	halfPair
	err error
}

func (e *halfPairError) Error() string {
	return fmt.Sprintf("%v: %s is set%s, and %s is not", ErrNoCredentials, e.set, e.where, e.missing)
}

func (e *halfPairError) Unwrap() error { return e.err }
