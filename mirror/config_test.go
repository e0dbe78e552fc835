package mirror

import (
	"errors"
	"strings"
	"testing"
)

const minimal = `
destinations: [HOST/prefix]
images:
  - from: HOST/src/repo00                 # all tags, to prefix/src/repo00
  - from: HOST/src/repo01
    name: team/one                        # to prefix/team/one
    tags: {match: "v*", latest: 5, by: semver}
`

func noVariables(string) (string, bool) { return "", false }

func TestReadConfig(t *testing.T) {
	c, err := ReadConfig(strings.NewReader(strings.ReplaceAll(minimal, "HOST", "a.example")), noVariables)
	if err != nil {
		t.Fatal(err)
	}
	if c.Images[0].name() != "src/repo00" || c.Images[1].name() != "team/one" || c.ReferrersOf(c.Images[0]).None ||
		c.Images[1].Tags.Match[0] != "v*" || c.Images[1].Tags.Latest != 5 || c.Images[1].Tags.By != BySemver {
		t.Errorf("%+v", c)
	}
	c, err = ReadConfig(strings.NewReader(`{"destinations": ["a.example:5000"], "images": [{"from": "b/c",
		"tags": {"match": ["1.10", "2"]}, "platforms": ["linux/amd64"], "referrers": false}]}`), noVariables)
	if err != nil || c.Images[0].Tags.Match[0] != "1.10" || !c.ReferrersOf(c.Images[0]).None {
		t.Errorf("%+v %v", c, err)
	}
}

func TestVariables(t *testing.T) {
	lookup := func(name string) (string, bool) {
		value, ok := map[string]string{"SET": "value", "EMPTY": ""}[name]
		return value, ok
	}
	for text, want := range map[string]string{
		"a": "a", "${SET}": "value", "${SET}/${SET}": "value/value", "${SET:-other}": "value", "${SET:?no}": "value", "x${EMPTY}": "x",
		"${EMPTY:-other}": "other", "${UNSET:-other}": "other", "${UNSET:-}": "", "$SET": "$SET",
	} {
		if got, err := expandVariables(text, lookup); got != want || err != nil {
			t.Errorf("%s: %q %v, want %q", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"${UNSET}": "the environment variable UNSET is not set", "${UNSET:?say where}": "UNSET: say where", "${EMPTY:?}": "EMPTY is not set",
		"${}": "is not ${NAME}", "${SET": "is not ${NAME}", "${SET-other}": "is not ${NAME}",
	} {
		if got, err := expandVariables(text, lookup); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q %v, want %q", text, got, err, want)
		}
	}
}

func TestConfigErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                                "destinations is empty",
		"destinations: [a]":               "images is empty",
		"destinations: [a]\nimages: [{}]": `from: "" is not HOST/REPOSITORY`,
		"destinations: [a/]\nimages: []":  "images is empty",
		"destinations: [a]\nimages: [{from: nginx}]":                                                     "Docker Hub's nginx is docker.io/library/nginx",
		"destinations: [a/B]\nimages: []":                                                                `"a/B" is not HOST or HOST/PREFIX`,
		"destination: [a]":                                                                               `[1:1] unknown field "destination"`,
		"destinations: [a]\nexisting: move\nimages: [{from: a/b}]":                                       `existing: "move"`,
		"destinations: [a]\nimages: [{from: a/b:1}]":                                                     "tags belong under tags",
		"destinations: [a]\nimages: [{from: a/b, name: B}]":                                              `name: "B"`,
		"destinations: [a]\nimages: [{from: a/b, digests: [\"sha256:12\"]}]":                             "digests",
		"destinations: [a]\nimages: [{from: a/b, platforms: [amd64/]}]":                                  "platforms",
		"destinations: [a]\nimages: [{from: a/b, tags: {latest: 1}}]":                                    "images[0]: tags: latest needs by",
		"destinations: [a]\nimages: [{from: a/b, tags: {newest: 1}}]":                                    `unknown field "newest"`,
		"destinations: [a]\nimages: [{from: x.example/b}, {from: y.example/b}]":                          "would both be the repository b",
		"destinations: [a]\nimages: [{from: x.example/b}, {from: x.example/b}]":                          "is listed twice",
		"destinations: [a, a]\nimages: [{from: x.example/b}]":                                            "is listed twice",
		"destinations: [x.example]\nimages: [{from: x.example/b}]":                                       "is its own destination",
		"destinations: [a, a/x]\nimages: [{from: y.example/b, name: x/b}, {from: y.example/c, name: b}]": "y.example/b and y.example/c would both be a/x/b",
	} {
		if _, err := ReadConfig(strings.NewReader(text), noVariables); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// FuzzReadConfig looks for configurations that make reading panic, or that are accepted and cannot be
// used.
func FuzzReadConfig(f *testing.F) {
	f.Add(minimal)
	f.Add(`{"destinations": ["${A:-b}"], "images": [{"from": "c/d", "tags": {"match": "/x/", "since": "3d"}, "platforms": ["linux/arm/v7"]}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ReadConfig(strings.NewReader(text), noVariables)
		if err != nil {
			return
		}
		for _, images := range c.Images {
			if _, err := images.Tags.Select(nil, now); err != nil && !errors.Is(err, ErrTooFewTags) {
				t.Error(err)
			}
			if images.name() == "" {
				t.Error("a repository without a name")
			}
		}
	})
}
