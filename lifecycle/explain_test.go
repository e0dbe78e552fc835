package lifecycle

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// threeRules keeps one image with an alpha tag, and untagged images for a day; of
// the others it keeps one.
func threeRules(t testing.TB) *Policy {
	p, err := Retention{UntaggedDays: 1, Keep: []KeepTagged{{"alpha", 1}}, AnyKeep: 1}.Policy()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestExplain(t *testing.T) {
	images := []Image{
		{Digest: digestOf("a"), Tags: []string{"alpha-1", "beta-1"}, PushedAt: daysAgo(4)},
		{Digest: digestOf("b"), PushedAt: daysAgo(3)},
		{Digest: digestOf("c"), Tags: []string{"alpha-2"}, PushedAt: daysAgo(2)},
		{Digest: digestOf("d"), Tags: []string{"other"}, PushedAt: daysAgo(1)},
		{Digest: digestOf("e"), Tags: []string{"latest"}, PushedAt: noon.Add(-1)},
	}
	e := Evaluate(threeRules(t), images, noon)
	for _, x := range []struct {
		image, reason string
		shieldedBy    []int
		effects       []Effect
	}{
		{"alpha-1", "number 2 of 2, and rule 2 keeps the newest 1", nil, []Effect{EffectNone, EffectActs, EffectShielded}},
		{digestOf("b").String(), "pushed 3 days ago, older than 1 day (rule 1)", nil, []Effect{EffectActs, EffectNone, EffectShielded}},
		{"cccccccc", "number 1 of 2, and rule 2 keeps the newest 1; so rule 3 cannot expire it", []int{2}, []Effect{EffectNone, EffectKeeps, EffectShielded}},
		{"other", "number 2 of 5, and rule 3 keeps the newest 1", nil, []Effect{EffectNone, EffectNone, EffectActs}},
		{"latest", "number 1 of 5, and rule 3 keeps the newest 1", nil, []Effect{EffectNone, EffectNone, EffectKeeps}},
	} {
		i, err := e.Find(x.image)
		if err != nil {
			t.Fatal(err)
		}
		got := e.Explain(i)
		var effects []Effect
		for _, view := range got.Rules {
			effects = append(effects, view.Effect)
		}
		if got.Reason != x.reason || !reflect.DeepEqual(got.Verdict.ShieldedBy(), x.shieldedBy) || !reflect.DeepEqual(effects, x.effects) {
			t.Errorf("%s: %s, shielded by %v, %v", x.image, got.Reason, got.Verdict.ShieldedBy(), effects)
		}
	}
	if view := e.Explain(0).Rules[1]; !reflect.DeepEqual(view.Tags, []string{"alpha-1"}) || view.Number != 2 || view.Of != 2 {
		t.Errorf("rule 2 sees the first image as %+v", view)
	}
	for _, name := range []string{"gone", "sha256:", "aaa", "ffffffff", "sha256:" + strings.Repeat("0", 64)} {
		if _, err := e.Find(name); err == nil {
			t.Errorf("found %s", name)
		}
	}
}

// TestReasons has the cases that no rule decides.
func TestReasons(t *testing.T) {
	index := Image{Digest: digestOf("1"), Tags: []string{"v1"}, MediaType: ocispec.MediaTypeImageIndex, PushedAt: daysAgo(9), Children: []digest.Digest{digestOf("2")}}
	signed := Image{Digest: digestOf("3"), PushedAt: daysAgo(9)}
	images := []Image{
		index, {Digest: digestOf("2"), PushedAt: daysAgo(9)},
		signed, {Digest: digestOf("4"), PushedAt: noon, Subject: signed.Digest},
		{Digest: digestOf("5"), PushedAt: daysAgo(9), Subject: digestOf("f")}, // whose subject is not here
		{Digest: digestOf("6"), PushedAt: daysAgo(9), Status: StatusActivating},
		{Digest: digestOf("7"), PushedAt: daysAgo(9), Status: StatusArchived, LastArchivedAt: daysAgo(1)},
		{Digest: digestOf("8"), PushedAt: daysAgo(9), Subject: digestOf("7")},
	}
	want := []string{
		"KEEP no rule identifies it",
		"KEEP index " + digestOf("1").String() + " lists it, and keeps it until the index is gone",
		"EXPIRE pushed 9 days ago, older than 1 day (rule 1)",
		"EXPIRE it follows its subject " + digestOf("3").String(),
		"EXPIRE pushed 9 days ago, older than 1 day (rule 1)",
		"KEEP it is being restored from the archive",
		"KEEP no rule identifies it",
		"TRANSITION its subject " + digestOf("7").String() + " is in the archive",
	}
	policy, err := Retention{UntaggedDays: 1}.Policy()
	if err != nil {
		t.Fatal(err)
	}
	e := Evaluate(policy, images, noon)
	for i, v := range e.Verdicts {
		if got := fmt.Sprint(v.Outcome, " ", e.Reason(i)); got != want[i] {
			t.Errorf("image %d: %s; want %s", i+1, got, want[i])
		}
	}
}

func TestSummary(t *testing.T) {
	blobs := func(names ...string) (list []Blob) {
		for _, name := range names {
			list = append(list, Blob{digestOf(name), 100})
		}
		return list
	}
	images := []Image{
		{Digest: digestOf("1"), PushedAt: daysAgo(9), Size: 300, ManifestSize: 1, Blobs: blobs("a", "b", "c")},
		{Digest: digestOf("2"), PushedAt: daysAgo(9), Size: 200, ManifestSize: 1, Blobs: blobs("b", "d")},
		{Digest: digestOf("3"), Tags: []string{"v1"}, PushedAt: daysAgo(9), Size: 200, ManifestSize: 1, Blobs: blobs("c", "e")},
		{Digest: digestOf("4"), PushedAt: daysAgo(9), Size: 200, MediaType: ocispec.MediaTypeImageIndex, ManifestSize: 1, Children: []digest.Digest{digestOf("5")}},
		{Digest: digestOf("5"), PushedAt: daysAgo(9), Size: 200, ManifestSize: 1, Blobs: blobs("f")},
	}
	policy, err := Retention{UntaggedDays: 5}.Policy()
	if err != nil {
		t.Fatal(err)
	}
	got := Evaluate(policy, images, noon).Summary()
	want := Summary{Images: 5, Keep: 2, Expire: 3, ExpireBytes: StorageSize{303, true}, TransitionBytes: StorageSize{0, true}, Later: 1}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	images[2].Blobs, images[3].Children = nil, nil
	got = Evaluate(policy, images, noon).Summary()
	want = Summary{Images: 5, Keep: 1, Expire: 4, ExpireBytes: StorageSize{700, false}, UnknownIndexes: 1}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}

	five, err := Retention{UntaggedDays: 100, Keep: []KeepTagged{{"v", 1}}}.Policy()
	if err != nil {
		t.Fatal(err)
	}
	d := Diff(Evaluate(five, images, noon), Evaluate(policy, images, noon))
	if !reflect.DeepEqual(d, Difference{Expired: []int{0, 1, 3, 4}, NewBytes: StorageSize{700, false}}) {
		t.Errorf("the difference is %+v", d)
	}
	if back := Diff(Evaluate(policy, images, noon), Evaluate(five, images, noon)); !reflect.DeepEqual(back.Saved, d.Expired) || back.Expired != nil {
		t.Errorf("the way back is %+v", back)
	}
}

func TestUnknownIndexes(t *testing.T) {
	t.Parallel()
	checkUnknownIndexes(t, 2_000)
}

// checkUnknownIndexes checks what Summary says of indexes whose images are not known, on
// count random repositories: what expires in truth expires, and what is archived in truth
// does not stay as it is.
func checkUnknownIndexes(t *testing.T, count uint64) {
	different := 0
	for seed := range count {
		r := rand.New(rand.NewPCG(seed, 8))
		policy, images := randomPolicy(r), randomImages(r)
		truth := Evaluate(policy, images, noon)
		known := append([]Image{}, images...)
		for i := range known {
			known[i].Children = nil
		}
		said := Evaluate(policy, known, noon)
		for i, v := range truth.Verdicts {
			if said := said.Verdicts[i].Outcome; v.Outcome != Keep && said != v.Outcome && said != Expire {
				t.Fatalf("seed %d, image %d: %s, but %s where it is not known what indexes list", seed, i, v.Outcome, said)
			}
			if v.Outcome != said.Verdicts[i].Outcome {
				different++
			}
		}
	}
	if different < 100 {
		t.Errorf("only %d images have another outcome", different)
	}
}

func TestRetention(t *testing.T) {
	p, err := Retention{UntaggedDays: 7, Keep: []KeepTagged{{"prod", 10}, {"*-rc*", 3}}, ArchiveUnusedDays: 90, ArchivedDays: 365}.Policy()
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	want := `{"rules":[` +
		`{"rulePriority":1,"description":"Delete untagged images after 7 days","selection":{"tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":7},"action":{"type":"expire"}},` +
		`{"rulePriority":2,"description":"Keep only 10 prod images","selection":{"tagStatus":"tagged","tagPrefixList":["prod"],"countType":"imageCountMoreThan","countNumber":10},"action":{"type":"expire"}},` +
		`{"rulePriority":3,"description":"Keep only 3 *-rc* images","selection":{"tagStatus":"tagged","tagPatternList":["*-rc*"],"countType":"imageCountMoreThan","countNumber":3},"action":{"type":"expire"}},` +
		`{"rulePriority":4,"description":"Archive images not pulled for 90 days","selection":{"tagStatus":"any","countType":"sinceImagePulled","countUnit":"days","countNumber":90},"action":{"type":"transition","targetStorageClass":"archive"}},` +
		`{"rulePriority":5,"description":"Delete archived images after 365 days","selection":{"tagStatus":"any","storageClass":"archive","countType":"sinceImageTransitioned","countUnit":"days","countNumber":365},"action":{"type":"expire"}}]}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	// A rule for each environment, and an end to everything.
	p, err = Retention{UntaggedDays: 7, Keep: []KeepTagged{{"prod", 10}, {"stage", 5}, {"dev", 3}}, AnyDays: 90}.Policy()
	if err != nil {
		t.Fatal(err)
	}
	last := p.Rules()[len(p.Rules())-1]
	if len(p.Rules()) != 5 || last.Priority != 5 || !reflect.DeepEqual(last.Selection, Selection{TagStatus: AnyTags, CountType: SinceImagePushed, CountUnit: UnitDays, Count: 90}) {
		t.Errorf("got %+v", p.Rules())
	}
	for name, plan := range map[string]Retention{"nothing": {}, "two about all": {AnyDays: 1, AnyKeep: 1}, "archived too short": {ArchivedDays: 89}, "same prefix": {Keep: []KeepTagged{{"a", 1}, {"a", 2}}}, "negative": {UntaggedDays: -1}} {
		if _, err := plan.Policy(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestLimit(t *testing.T) {
	for _, x := range []struct {
		limit  string
		expire int
		want   bool
	}{{"3", 3, true}, {"3", 4, false}, {"0", 0, true}, {"0", 1, false}, {"10%", 2, true}, {"10%", 3, false}, {"0%", 1, false}, {"100%", 20, true}, {"12.5%", 2, true}} {
		l, err := ParseExpiryLimit(x.limit)
		if err != nil || l.String() != x.limit {
			t.Fatalf("%s is read as %s, %v", x.limit, l, err)
		}
		if got := l.Allows(Summary{Images: 20, Expire: x.expire}); got != x.want {
			t.Errorf("%s allows %d of 20: %v", x.limit, x.expire, got)
		}
	}
	for _, s := range []string{"", "-1", "ten", "101%", "%", "NaN%", "1.5"} {
		if _, err := ParseExpiryLimit(s); err == nil {
			t.Errorf("%q is taken", s)
		}
	}
}
