package tokenstore

import (
	"slices"
	"strings"
)

// Item is a token in a listing.
type Item struct {
	Key   Key
	Entry Entry // without the secret
	State State
	Err   error // why the file cannot be read as a token
}

// List returns every token, sorted by key.
func (s *Store) List() ([]Item, error) {
	return s.list("")
}

// Sessions returns the tokens of one credential source, sorted by key.
func (s *Store) Sessions(source string) ([]Item, error) {
	return s.list(source)
}

func (s *Store) list(source string) ([]Item, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	names, err := s.names()
	items := []Item{}
	for _, n := range names {
		if n.ext != entryExt || source != "" && n.key.Source != source {
			continue
		}
		item := Item{Key: n.key}
		item.Entry, item.Err = s.Get(n.key)
		item.State = item.Entry.State(s.now())
		item.Entry.Secret = ""
		items = append(items, item)
	}
	slices.SortFunc(items, func(a, b Item) int { return strings.Compare(a.Key.String(), b.Key.String()) })
	return items, err
}
