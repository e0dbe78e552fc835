package tokenstore

import (
	"slices"
	"strings"
)

// ListedToken is a token in a listing.
type ListedToken struct {
	Key   Key
	Entry Entry // without the secret
	State State
	Err   error // why the file cannot be read as a token
}

// List returns every token, sorted by key.
func (s *Store) List() ([]ListedToken, error) {
	return s.list("")
}

// Sessions returns the tokens of one credential source, sorted by key.
func (s *Store) Sessions(source string) ([]ListedToken, error) {
	return s.list(source)
}

func (s *Store) list(source string) ([]ListedToken, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	names, err := s.names()
	items := []ListedToken{}
	for _, n := range names {
		if n.ext != entryExt || source != "" && n.key.Source != source {
			continue
		}
		item := ListedToken{Key: n.key}
		item.Entry, item.Err = s.Get(n.key)
		item.State = item.Entry.State(s.now())
		item.Entry.Secret = ""
		items = append(items, item)
	}
	slices.SortFunc(items, func(a, b ListedToken) int { return strings.Compare(a.Key.String(), b.Key.String()) })
	return items, err
}
