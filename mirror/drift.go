package mirror

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ecrkit/ecrkit/internal/strictjson"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// Drift is a setting that an existing repository of Amazon ECR has in another way than the configuration wants it for new
// ones. It is reported, and stays as it is.
type Drift struct {
	Setting string `json:"setting"` // key of the configuration; of a resource tag "tags.KEY"
	Have    string `json:"have"`
	Want    string `json:"want"`
}

// addDrift compares the settings of an existing repository. That they cannot be read is no error of the plan.
func (p *planner) addDrift(ctx context.Context, r *Repository) {
	reader, ok := p.opener.(SettingsReader)
	if !ok || !p.opts.Drift || !p.config.Repositories.IsSet() {
		return
	}
	want, inherited, err := p.settings(ctx, r)
	var have Settings
	if err == nil {
		have, err = reader.Settings(ctx, r.To, r.To)
	}
	switch {
	case errors.Is(err, content.ErrUnsupported): // it has no settings
	case err != nil:
		r.DriftError = err.Error()
	default:
		r.Drift = p.config.Repositories.drift(*want, have, inherited)
	}
}

// drift compares what the configuration says, and if all was inherited, all.
func (s RepositoryRules) drift(want, have Settings, inherited bool) (drift []Drift) {
	add := func(wanted, equal bool, setting, have, want string) {
		if (wanted || inherited) && !equal {
			drift = append(drift, Drift{setting, have, want})
		}
	}
	mutability := func(s Settings) string {
		return strings.Join(append([]string{s.TagMutability}, slices.Sorted(slices.Values(s.MutabilityExclusions))...), " ")
	}
	add(s.TagMutability != "", mutability(have) == mutability(want), "tag_mutability", mutability(have), mutability(want))
	add(s.ScanOnPush != nil, have.ScanOnPush == want.ScanOnPush, "scan_on_push", fmt.Sprint(have.ScanOnPush), fmt.Sprint(want.ScanOnPush))
	encryption := cmp.Or(want.Encryption, "KMS") // with a key only
	add(s.Encryption != "" || s.KMSKey != "", have.Encryption == encryption, "encryption", have.Encryption, encryption)
	// What an alias names is not known here.
	add(s.KMSKey != "", !strings.Contains(want.KMSKey, ":key/") || have.KMSKey == want.KMSKey, "kms_key", have.KMSKey, want.KMSKey)
	add(s.LifecyclePolicy != "", sameJSON(have.LifecyclePolicy, want.LifecyclePolicy), "lifecycle_policy", have.LifecyclePolicy, want.LifecyclePolicy)
	add(s.RepositoryPolicy != "", sameJSON(have.RepositoryPolicy, want.RepositoryPolicy), "repository_policy", have.RepositoryPolicy, want.RepositoryPolicy)
	for _, key := range slices.Sorted(maps.Keys(want.Tags)) {
		value, ok := have.Tags[key]
		add(true, ok && value == want.Tags[key], "tags."+key, value, want.Tags[key])
	}
	return drift
}

// sameJSON reports whether two documents say the same; "" means none.
func sameJSON(a, b string) bool {
	if a == b || a == "" || b == "" {
		return a == b
	}
	canonical := func(s string) []byte {
		var v any
		if strictjson.Unmarshal([]byte(s), &v) != nil {
			return []byte(s)
		}
		data, err := json.Marshal(v)
		if err != nil {
			return []byte(s)
		}
		return data
	}
	return bytes.Equal(canonical(a), canonical(b))
}
