package dockerconfig

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
)

// Login is a user name and password in the file.
type Login struct {
	Key      string // as it is in the file, such as "https://HOST/v2/"
	Username string
	Password string // "" if the entry has an identity token
}

// String hides the password.
func (l Login) String() string { return l.Key + " as " + l.Username }

// GoString hides the password.
func (l Login) GoString() string { return l.String() }

// Helpers returns the credential helpers by the names that the file has for their hosts.
func (f *File) Helpers() (map[string]string, error) {
	d, err := f.decode()
	return d.CredHelpers, err
}

// Logins returns the entries of auths with which docker logs in to a host. An entry
// without a secret, as docker leaves it where a credential helper has the secret, is not
// one. The error names an entry that docker can't read.
func (f *File) Logins(host string) ([]Login, error) {
	d, err := f.decode()
	if err != nil {
		return nil, err
	}
	var logins []Login
	for key, value := range d.Auths {
		if HostOf(key) != host {
			continue
		}
		var entry struct{ Auth, Username, Password, IdentityToken string }
		if err := json.Unmarshal(value, &entry); err != nil {
			return nil, fmt.Errorf("%s: auths: %s is not an entry that docker can read", f.path, key)
		}
		if entry.Auth != "" {
			text, err := base64.StdEncoding.DecodeString(entry.Auth)
			user, password, ok := strings.Cut(strings.TrimRight(string(text), "\x00"), ":")
			if err != nil || !ok {
				return nil, fmt.Errorf("%s: auths: the value auth of %s is not base64 of USER:PASSWORD", f.path, key)
			}
			entry.Username, entry.Password = user, password
		}
		if entry.Password != "" || entry.IdentityToken != "" {
			logins = append(logins, Login{Key: key, Username: entry.Username, Password: entry.Password})
		}
	}
	return logins, nil
}

// HostOf returns the host, with its port, of a key of auths, which may have a scheme and
// a path.
func HostOf(key string) string {
	for _, scheme := range []string{"https://", "http://"} {
		key = strings.TrimPrefix(key, scheme)
	}
	host, _, _ := strings.Cut(key, "/")
	return strings.ToLower(host)
}
