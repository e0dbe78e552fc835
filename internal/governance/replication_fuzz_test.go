package governance

import (
	"fmt"
	"strings"
	"testing"
	"unicode"

	"github.com/ecrkit/ecrkit/auth"
)

// FuzzReplicationConfiguration has whatever is accepted be one line of printable text, and mean the same when it is completed again.
func FuzzReplicationConfiguration(f *testing.F) {
	f.Add("rules: [{destinations: [{region: eu-west-1}], repositoryFilters: [{filter: prod/}]}]")
	f.Add("rules: []")
	f.Add(`{"rules":[{"destinations":[{"region":"eu-west-1\n","registryId":"111122223333"}],"repositoryFilters":[{"filter":"a\u001b[2Jb","filterType":"PREFIX_MATCH"}]}]}`)
	f.Add(`{"rules":[{"destinations":[{"region":"eu-west-1"}],"repositoryFilters":[{"filter":"prod\n"}]}]}`)
	r := &Registry{Registry: auth.Registry{Host: "ecr.example", Account: "111122223333", Region: "us-east-1"}}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseReplicationConfiguration(strings.NewReader(text))
		if err != nil {
			return
		}
		full, err := c.Complete(r)
		if err != nil {
			return
		}
		if shown := fmt.Sprint(full); strings.ContainsFunc(shown, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("accepted %q", shown)
		}
		if again, err := full.Complete(r); err != nil || !again.Equal(full) {
			t.Errorf("completed again: %v %v", again, err)
		}
	})
}
