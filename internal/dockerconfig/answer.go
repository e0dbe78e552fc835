package dockerconfig

// What sets from where a host's credentials come.
const (
	SetByCredHelpers = "credHelpers"
	SetByCredsStore  = "credsStore"
	SetByAuths       = "auths"
)

// Answer is from where docker takes the credentials of a host.
type Answer struct {
	// SetBy is the member of the file that decides, "" if there are no credentials.
	SetBy string
	// Helper is the NAME of docker-credential-NAME, "" if no helper is asked.
	Helper string
	// Stored are entries of auths with a password. Docker ignores them if a helper is
	// asked; some other programs do not.
	Stored []Login
}

// Answer returns from where docker takes the credentials of a host: the helper of the host,
// else the one of all hosts, else a stored password.
func (f *File) Answer(host string) (Answer, error) {
	helper, err := f.Helper(host)
	if err != nil {
		return Answer{}, err
	}
	store, err := f.CredsStore()
	if err != nil {
		return Answer{}, err
	}
	stored, err := f.Logins(host)
	a := Answer{Stored: stored}
	switch {
	case helper != "":
		a.SetBy, a.Helper = SetByCredHelpers, helper
	case store != "":
		a.SetBy, a.Helper = SetByCredsStore, store
	case len(stored) > 0:
		a.SetBy = SetByAuths
	}
	return a, err
}
