package lifecycle

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func daysAgo(n int) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return noon.Add(-time.Duration(n) * 24 * time.Hour)
}

// digestOf makes a digest of a letter.
func digestOf(name string) digest.Digest {
	return digest.NewDigestFromEncoded(digest.SHA256, strings.Repeat(strings.ToLower(name), 64))
}

// TestExamples evaluates the examples of the user guide, each named by its heading:
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_examples.html
func TestExamples(t *testing.T) {
	text, err := os.ReadFile("testdata/examples.json")
	if err != nil {
		t.Fatal(err)
	}
	var examples []struct {
		Name   string
		Images []struct {
			Name                               string
			Tags                               []string
			Pushed, Pulled, Archived, Restored int // days ago, 0 is never
		}
		Policy            json.RawMessage
		Expired, Archived []string
	}
	if err := json.Unmarshal(text, &examples); err != nil {
		t.Fatal(err)
	}
	for _, x := range examples {
		t.Run(x.Name, func(t *testing.T) {
			policy, err := Parse(x.Policy)
			if err != nil {
				t.Fatal(err)
			}
			var images []Image
			for _, i := range x.Images {
				image := Image{Digest: digestOf(i.Name), Tags: i.Tags, PushedAt: daysAgo(i.Pushed),
					LastPulledAt: daysAgo(i.Pulled), LastArchivedAt: daysAgo(i.Archived), LastActivatedAt: daysAgo(i.Restored)}
				if i.Archived > 0 {
					image.Status = StatusArchived
				}
				images = append(images, image)
			}
			outcomes := map[Outcome][]string{Expire: {}, Transition: {}}
			for i, v := range Evaluate(policy, images, noon).Verdicts {
				outcomes[v.Outcome] = append(outcomes[v.Outcome], x.Images[i].Name)
			}
			if !reflect.DeepEqual(outcomes[Expire], x.Expired) || !reflect.DeepEqual(outcomes[Transition], x.Archived) {
				t.Errorf("expired %v, archived %v; want %v, %v", outcomes[Expire], outcomes[Transition], x.Expired, x.Archived)
			}
		})
	}
}
