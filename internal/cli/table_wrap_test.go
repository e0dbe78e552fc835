package cli

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

// The whole reason is shown at every width, and no line is longer than the terminal.
func TestTableWraps(t *testing.T) {
	reason := "pushed 30 days ago, older than 7 days (rule 1); so rule 4 cannot expire it"
	tab := table{header: []string{"CHANGE", "DIGEST", "TAGS", "WHY"}, wrap: true}
	tab.add("+ expire", "sha256:0123456789ab", "release-candidate-1, release-candidate-2…", reason)
	tab.add("- expire", "sha256:0123456789ac", "-", "number 3 of 3, and rule 2 keeps the newest 2")
	for columns, want := range map[int]string{
		0: `CHANGE    DIGEST               TAGS                                       WHY
+ expire  sha256:0123456789ab  release-candidate-1, release-candidate-2…  pushed 30 days ago, older than 7 days (rule 1); so rule 4 cannot expire it
- expire  sha256:0123456789ac  -                                          number 3 of 3, and rule 2 keeps the newest 2
`,
		110: `CHANGE    DIGEST               TAGS                                       WHY
+ expire  sha256:0123456789ab  release-candidate-1, release-candidate-2…  pushed 30 days ago, older than 7
                                                                          days (rule 1); so rule 4 cannot
                                                                          expire it
- expire  sha256:0123456789ac  -                                          number 3 of 3, and rule 2 keeps the
                                                                          newest 2
`,
		80: `CHANGE    DIGEST               TAGS
+ expire  sha256:0123456789ab  release-candidate-1, release-candidate-2…
    WHY: pushed 30 days ago, older than 7 days (rule 1); so rule 4 cannot expire
    it
- expire  sha256:0123456789ac  -
    WHY: number 3 of 3, and rule 2 keeps the newest 2
`,
		60: `CHANGE    DIGEST
+ expire  sha256:0123456789ab
    TAGS: release-candidate-1, release-candidate-2…
    WHY: pushed 30 days ago, older than 7 days (rule 1); so
    rule 4 cannot expire it
- expire  sha256:0123456789ac
    WHY: number 3 of 3, and rule 2 keeps the newest 2
`,
	} {
		var out strings.Builder
		if err := tab.print(&out, columns); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); columns > 0 && n > columns {
				t.Errorf("%d columns: %d: %s", columns, n, line)
			}
		}
		if out.String() != want {
			t.Errorf("%d columns:\n%s\n%s", columns, out.String(), want)
		}
	}
}

// What fits stays in its row, however little room there is beside the other columns.
func TestTableWrapsOnlyWhatIsTooLong(t *testing.T) {
	t.Parallel()
	tab := table{header: []string{"DIGEST", "TAGS"}, wrap: true}
	tab.add("sha256:0123456789ab", "1.0, 1")
	var out strings.Builder
	if err := tab.print(&out, 30); err != nil {
		t.Fatal(err)
	}
	if want := "DIGEST               TAGS\nsha256:0123456789ab  1.0, 1\n"; out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

// Every tag of an image is shown, however many there are and whether TAGS is the last column or not.
func TestTableOfManyTags(t *testing.T) {
	t.Parallel()
	var tags []string
	for i := range 20 {
		tags = append(tags, fmt.Sprintf("release-candidate-%d", i))
	}
	for _, header := range [][]string{{"DIGEST", "TAGS", "WHY"}, {"DIGEST", "WHY", "TAGS"}} {
		cells := map[string]string{"DIGEST": "sha256:0123456789ab", "TAGS": showTags(tags), "WHY": "number 3 of 3"}
		for _, columns := range []int{40, 80, 200} {
			tab := table{header: header, wrap: true}
			tab.add(cells[header[0]], cells[header[1]], cells[header[2]])
			var out strings.Builder
			if err := tab.print(&out, columns); err != nil {
				t.Fatal(err)
			}
			for _, word := range append(tags, header...) {
				if !strings.Contains(out.String(), word) {
					t.Errorf("%d columns: %s is missing in\n%s", columns, word, out.String())
				}
			}
			for line := range strings.Lines(out.String()) {
				if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > columns {
					t.Errorf("%d columns: %d: %s", columns, n, line)
				}
			}
		}
	}
}

// A table whose last column is cut loses nothing of the columns before it, and no line is longer than the terminal.
func TestTableCutsOnlyTheLast(t *testing.T) {
	t.Parallel()
	tab := table{header: []string{"NAME", "CREATED", "TAGS", "SCAN", "ENCRYPTION"}}
	tab.add("team/payments/settlement-service-with-a-long-name", "2 months ago", "IMMUTABLE_WITH_EXCLUSION", "scan on push", "AES256")
	for columns, want := range map[int]string{
		80: `NAME                                               CREATED
team/payments/settlement-service-with-a-long-name  2 months ago
    TAGS: IMMUTABLE_WITH_EXCLUSION
    SCAN: scan on push
    ENCRYPTION: AES256
`,
		40: `NAME
team/payments/settlement-service-with-a-long-name
    CREATED: 2 months ago
    TAGS: IMMUTABLE_WITH_EXCLUSION
    SCAN: scan on push
    ENCRYPTION: AES256
`,
	} {
		var out strings.Builder
		if err := tab.print(&out, columns); err != nil {
			t.Fatal(err)
		}
		if out.String() != want {
			t.Errorf("%d columns: got\n%swant\n%s", columns, out.String(), want)
		}
	}
}
