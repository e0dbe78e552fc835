package mirror

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// shardJSON is the report of a shard as `ecrkit mirror apply` prints it.
func shardJSON(index int, deal, finished string, repositories, images string) string {
	return fmt.Sprintf(`{"hash":"sha256:00","images":[%s],"shard":{"index":%d,"count":2,"deal":%q,"all":3,"repositories":[%s],"kept":1,"finished":%q}}`+"\n",
		images, index, deal, repositories, finished)
}

const (
	firstTime, laterTime = "2026-11-01T00:00:00Z", "2026-11-01T01:00:00Z"

	digestA = "sha256:1111111111111111111111111111111111111111111111111111111111111111"
	digestB = "sha256:2222222222222222222222222222222222222222222222222222222222222222"
	copiedA = `{"from":"s/a@sha256:1","to":"d/a","digest":"` + digestA + `","tags":["1"]}`
	failedB = `{"from":"s/b@sha256:2","to":"d/b","digest":"sha256:2","tags":[],"error":{"code":"failed","message":"no luck","object":"d/b"}}`
	copiedB = `{"from":"s/b@sha256:2","to":"d/b","digest":"` + digestB + `","tags":["2"]}`
)

func TestMergeReports(t *testing.T) {
	one := shardJSON(1, "x", firstTime, `"d/a","d/b"`, copiedA+","+failedB)
	again := strings.Replace(shardJSON(1, "x", laterTime, `"d/a","d/b"`, copiedB), `"kept":1`, `"kept":2`, 1) // what was copied is equal now
	two := shardJSON(2, "x", firstTime, `"d/c"`, "")
	for _, c := range []struct {
		name, documents string
		images, kept    int
		want            string // of the error
		whole           bool
	}{
		{"an image failed", one + two, 2, 2, "s/b@sha256:2 to d/b: no luck", true},
		{"it was run again", one + two + again, 2, 2, "", true},
		{"in another order", again + two + one, 2, 2, "", true},
		{"a shard is missing", one, 2, 1, "of 2 shards these have no report: 2", false},
		{"a repository is in two", again + shardJSON(2, "x", firstTime, `"d/a"`, ""), 1, 3, "d/a is in shard 1/2 and in shard 2/2", false},
		{"a repository is in none", again + shardJSON(2, "x", firstTime, ``, ""), 1, 3, "the shards have 2 repositories of 3", false},
		{"a deletion failed", again + ended(two), 1, 3, "shard 2/2: no rights", true},
		{"a deletion failed at first", again + ended(two) + strings.ReplaceAll(two, firstTime, laterTime), 1, 3, "", true},
		{"an image failed, and so nothing was deleted", ended(one) + two, 2, 2, "s/b@sha256:2 to d/b: no luck", true},
		{"one had no plan", again + ended(shardJSON(2, "", firstTime, ``, "")), 1, 2, "shard 2/2: no rights", true},
		{"the first had no plan", ended(shardJSON(1, "", firstTime, ``, "")) + two, 0, 1, "shard 1/2: no rights", true},
		{"the first had no plan, and was run again", ended(shardJSON(1, "", firstTime, ``, "")) + two + strings.ReplaceAll(again, digestB, digestA), 1, 3, "", true},
		{"it was run again and had no plan then", one + two + ended(shardJSON(1, "", laterTime, ``, "")), 1, 2, "shard 1/2: no rights", true},
		{"none had a plan", ended(shardJSON(1, "", firstTime, ``, "")) + ended(shardJSON(2, "", firstTime, ``, "")), 0, 0, "shard 2/2: no rights", true},
		{"one had no plan and one is missing", ended(shardJSON(2, "", firstTime, ``, "")), 0, 0, "these have no report: 1", false},
		{"another deal", again + shardJSON(2, "y", firstTime, `"d/c"`, ""), 1, 3, "divided the work in different ways", false},
		{"another count", again + strings.Replace(two, `"count":2`, `"count":3`, 1), 0, 0, "of shard 2/3", false},
	} {
		reports, err := ReadReports(strings.NewReader("a message\n"+c.documents), "log")
		if err != nil {
			t.Fatal(c.name, err)
		}
		merged, err := MergeReports(reports)
		switch {
		case c.want == "" && err != nil, c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		case errors.Is(err, ErrNotWhole) == c.whole:
			t.Errorf("%s: %v", c.name, err)
		case len(merged.Images) != c.images:
			t.Errorf("%s: %d images, want %d", c.name, len(merged.Images), c.images)
		case merged.Kept != c.kept:
			t.Errorf("%s: %d tags were equal, want %d", c.name, merged.Kept, c.kept)
		}
	}
}

// ended adds an error to the report of a shard.
func ended(report string) string {
	return strings.TrimSuffix(report, "}\n") + `,"error":{"code":"failed","message":"no rights","object":""}}` + "\n"
}

// TestReadReports reads what is no report, or not all of one.
func TestReadReports(t *testing.T) {
	whole := shardJSON(2, "x", firstTime, `"d/c"`, copiedA)
	// Each place is one where the log cuts it, such as before an object in it.
	for pieces := 1; pieces <= len(whole); pieces++ {
		var log strings.Builder
		for rest := whole; rest != ""; {
			n := min(pieces, len(rest))
			log.WriteString(rest[:n] + "\n")
			rest = rest[n:]
		}
		reports, err := ReadReports(strings.NewReader("before\n{\"cut\":{\"off\":\n"+log.String()+"after\n"), "log")
		// A piece of one byte is no beginning of an object.
		if pieces > 1 && (err != nil || len(reports) != 1 || len(reports[0].Images) != 1) {
			t.Errorf("pieces of %d bytes: %v, %v", pieces, reports, err)
		}
	}
	for _, text := range []string{"", "text", `{"error":{"code":"failed","message":"x","object":""}}`, `{"images":[]}`, strings.Replace(whole, `"count":2`, `"count":0`, 1),
		strings.Replace(whole, `"index":2`, `"index":3`, 1), `{"shard":null,"images":[]}`, `{"shard":{"index":1,"count":1}}`} {
		if _, err := ReadReports(strings.NewReader(text), "f"); !errors.Is(err, ErrNoReport) && !errors.Is(err, ErrConfig) {
			t.Errorf("%.60q: %v", text, err)
		}
	}
	failed := shardJSON(2, "x", firstTime, `"d/c"`, failedB)
	for _, text := range []string{strings.Replace(whole, digestA, `sha256:1\n`, 1), strings.Replace(failed, `"error":`, `"ERROR":null,"error":`, 1), whole[:len(whole)-20], strings.Replace(whole, `"images"`, `"images":[],"images"`, 1)} {
		if _, err := ReadReports(strings.NewReader(text), "f"); err == nil {
			t.Errorf("%.60q was read", text)
		}
	}
}

func FuzzReadReports(f *testing.F) {
	f.Add(shardJSON(1, "x", firstTime, `"d/a"`, copiedA+","+failedB))
	f.Add("text\n{\"images\"")
	f.Fuzz(func(_ *testing.T, text string) {
		if reports, err := ReadReports(strings.NewReader(text), "f"); err == nil {
			_, _ = MergeReports(reports)
		}
	})
}
