package lifecycle

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/ecrkit/ecrkit/internal/wildcard"
)

func TestLint(t *testing.T) {
	tagged := func(priority int, list, count string) string {
		return ruleText(priority, `"tagStatus":"tagged","tagPatternList":[`+list+`],`+count, expire)
	}
	anyKeep := func(priority int) string { return ruleText(priority, `"tagStatus":"any",`+keepOne, expire) }
	for _, x := range []struct {
		name, text string
		want       []string // "severity code rule field"
	}{
		{"nothing", policyText(ruleText(1, `"tagStatus":"untagged",`+olderThan, expire), tagged(2, `"prod*"`, keepOne), tagged(3, `"dev*"`, keepOne)), nil},
		{"refused", policyText(ruleText(1, `"tagStatus":"any","countType":"sinceImagePulled","countUnit":"days","countNumber":90`, expire)),
			[]string{"error pulled-expire 1 rules[0].action.type"}},
		{"class missing", policyText(ruleText(1, `"tagStatus":"any","countType":"sinceImageTransitioned","countUnit":"days","countNumber":90`, expire)),
			[]string{"error class 1 rules[0].selection.storageClass"}},
		{"any not last", policyText(anyKeep(1), tagged(2, `"a"`, keepOne)), []string{"error any-not-last 1 rules[0].rulePriority"}},
		{"shadowed", policyText(tagged(1, `"prod*"`, keepOne), tagged(2, `"prod-eu*"`, keepOne)), []string{"warning shadowed 2 rules[1].selection"}},
		{"shadowed out of order", policyText(tagged(2, `"prod-eu*"`, keepOne), tagged(1, `"prod*"`, keepOne)), []string{"warning shadowed 2 rules[0].selection"}},
		{"shadowed by all tags", policyText(tagged(1, `"**"`, keepOne), tagged(2, `"x"`, keepOne)), []string{"warning shadowed 2 rules[1].selection"}},
		{"one tag shadows two", policyText(tagged(1, `"a*"`, keepOne), tagged(2, `"b*","ab*"`, keepOne)),
			[]string{"warning all-tags 2 rules[1].selection.tagPatternList", "warning shadowed 2 rules[1].selection"}},
		{"two tags do not shadow one", policyText(tagged(1, `"a*","b*"`, olderThan), tagged(2, `"a*"`, olderThan)),
			[]string{"warning all-tags 1 rules[0].selection.tagPatternList", "note overlap 2 rules[1].selection"}},
		{"any shadowed", policyText(tagged(1, `"*"`, keepOne), ruleText(2, `"tagStatus":"untagged",`+olderThan, expire), anyKeep(3)), []string{"warning shadowed 3 rules[2].selection"}},
		{"other class", policyText(ruleText(1, `"tagStatus":"tagged","tagPatternList":["v*"],`+olderThan, archive),
			ruleText(2, `"tagStatus":"tagged","tagPatternList":["v*"],"storageClass":"archive","countType":"sinceImageTransitioned","countUnit":"days","countNumber":90`, expire)), nil},
		{"overlap that counts", policyText(tagged(1, `"prod-eu*"`, keepOne), tagged(2, `"prod*"`, keepOne)), []string{"warning overlap 2 rules[1].selection"}},
		{"overlap by age", policyText(tagged(1, `"prod-eu*"`, keepOne), tagged(2, `"prod*"`, olderThan)), []string{"note overlap 2 rules[1].selection"}},
		{"overlap of both", policyText(tagged(1, `"*-eu"`, keepOne), tagged(2, `"prod*"`, keepOne)), []string{"note overlap 2 rules[1].selection"}},
		{"prefix and pattern", policyText(ruleText(1, `"tagStatus":"tagged","tagPrefixList":["a"],`+keepOne, expire), tagged(2, `"a*"`, keepOne)), []string{"warning shadowed 2 rules[1].selection"}},
		{"all tags", policyText(ruleText(1, `"tagStatus":"tagged","tagPrefixList":["prod","staging"],`+keepOne, expire)), []string{"warning all-tags 1 rules[0].selection.tagPrefixList"}},
		{"redundant", policyText(tagged(1, `"a*","ab*"`, keepOne)),
			[]string{"warning redundant 1 rules[0].selection.tagPatternList[0]", "warning all-tags 1 rules[0].selection.tagPatternList"}},
		{"no such tag", policyText(tagged(1, `"a b"`, keepOne), tagged(2, `"-x*"`, keepOne), tagged(3, `"`+strings.Repeat("y", 129)+`*"`, keepOne)),
			[]string{"warning never-acts 1 rules[0].selection.tagPatternList[0]", "warning never-acts 2 rules[1].selection.tagPatternList[0]", "warning never-acts 3 rules[2].selection.tagPatternList[0]"}},
		{"wildcard in a prefix", policyText(ruleText(1, `"tagStatus":"tagged","tagPrefixList":["prod*"],`+keepOne, expire)), []string{"warning never-acts 1 rules[0].selection.tagPrefixList[0]"}},
		{"huge number", policyText(tagged(1, `"a"`, `"countType":"imageCountMoreThan","countNumber":100001`)), []string{"warning never-acts 1 rules[0].selection.countNumber"}},
		{"any counts others", policyText(tagged(1, `"a"`, keepOne), anyKeep(2)), []string{"note counts-others 2 rules[1].selection.countNumber"}},
		{"expires the newest", policyText(ruleText(1, `"tagStatus":"any",`+olderThan, expire)), []string{"note expires-newest 1 rules[0].selection"}},
		{"stays in the archive", policyText(ruleText(1, `"tagStatus":"any",`+olderThan, archive)), []string{"note archived-forever 1 rules[0].action"}},
	} {
		t.Run(x.name, func(t *testing.T) {
			var got []string
			for _, p := range Lint([]byte(x.text)) {
				got = append(got, fmt.Sprintf("%s %s %d %s", p.Severity, p.Code, p.Rule, p.Field))
				if p.Line == 0 || p.Message == "" {
					t.Errorf("%+v has no place or message", p)
				}
			}
			if !reflect.DeepEqual(got, x.want) {
				t.Errorf("got  %q\nwant %q", got, x.want)
			}
		})
	}
}

// TestOverlap compares what is said of each two patterns of up to four characters with all
// short texts.
func TestOverlap(t *testing.T) {
	t.Parallel()
	texts, patterns := words("abc", 6), words("ab*", 4) // c is in no pattern
	matches := make([]*big.Int, len(patterns))          // bit n: it matches texts[n]
	for i, text := range patterns {
		p := wildcard.Compile(text)
		matches[i] = new(big.Int)
		for n, s := range texts {
			if p.Match(s) != glob(text, s) {
				t.Fatalf("%q matches %q: %v", text, s, p.Match(s))
			}
			if p.Match(s) {
				matches[i].SetBit(matches[i], n, 1)
			}
		}
	}
	counts := map[bool]int{}
	var common big.Int
	for i, p := range patterns {
		for j, q := range patterns {
			both := common.And(matches[i], matches[j]).Sign() != 0
			if overlap(p, q) != both {
				t.Fatalf("overlap of %q and %q: %v", p, q, !both)
			}
			if all := common.Cmp(matches[j]) == 0; covers(p, q) != all {
				t.Fatalf("%q covers %q: %v", p, q, !all)
			}
			counts[both]++
		}
	}
	if counts[true] < 100 || counts[false] < 100 {
		t.Errorf("the patterns are not different enough: %v", counts)
	}
}

// words are all texts of up to length characters of an alphabet.
func words(alphabet string, length int) []string {
	all := []string{""}
	for from, n := 0, 0; n < length; n++ {
		end := len(all)
		for ; from < end; from++ {
			for _, c := range alphabet {
				all = append(all, all[from]+string(c))
			}
		}
	}
	return all
}

func TestShadowed(t *testing.T) {
	t.Parallel()
	checkShadowed(t, 2_000)
}

// checkShadowed checks the claim of lint on count random repositories: a rule that it
// calls shadowed never acts.
func checkShadowed(t *testing.T, count uint64) {
	shadowed := 0
	for seed := range count {
		r := rand.New(rand.NewPCG(seed, 7))
		policy := randomPolicy(r)
		text, err := policy.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		problems := Lint(text)
		e := Evaluate(policy, randomImages(r), noon)
		for _, p := range problems {
			if p.Code != "shadowed" {
				continue
			}
			shadowed++
			if i := slices.IndexFunc(e.Verdicts, func(v Verdict) bool { return v.Rule == p.Rule }); i >= 0 {
				t.Fatalf("seed %d: rule %d acts on image %d: %s", seed, p.Rule, i, text)
			}
		}
	}
	if shadowed < 100 {
		t.Errorf("only %d shadowed rules", shadowed)
	}
}
