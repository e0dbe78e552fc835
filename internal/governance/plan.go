package governance

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ecrkit/ecrkit/internal/repopolicy"
	"github.com/ecrkit/ecrkit/lifecycle"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// What a step does.
const (
	ActionCreate     = "create"
	ActionChange     = "change"
	ActionRemove     = "remove"
	ActionImpossible = "impossible" // the difference cannot be removed
)

// Step removes one difference between the existing and the desired state. Its JSON form is stable:
// fields are only added.
type Step struct {
	Object  string `json:"object"` // HOST/NAME, or ACCOUNT/REGION for the registry
	Action  string `json:"action"`
	Setting string `json:"setting"`
	From    string `json:"from"` // "" if there is nothing
	To      string `json:"to"`
	// Effect is what a new lifecycle policy does with the images that there are.
	Effect *lifecycle.Summary `json:"effect,omitempty"`
	// Err reports why the step failed.
	Err error `json:"-"`

	repository string            // whose images Policy is about
	policy     *lifecycle.Policy // that is new
	do         func(ctx context.Context, r *Registry) error
}

// State is what exists of what is desired.
type State struct {
	Repositories    map[string]Description // without Scanning and KeyManager
	OtherKeys       map[string]bool        // repositories whose KMS key is not the desired one
	Scanning        ScanningConfiguration
	Templates       map[string]Template
	Policy          json.RawMessage      // of the registry; nil if there is none
	CacheRules      map[string]CacheRule // by prefix
	Replication     ReplicationConfiguration
	AccountSettings map[string]string
}

// NewPlan compares the existing with the desired state and returns the steps in the order in
// which they must be done: settings that affect the creation of repositories first.
func NewPlan(r *Registry, d Desired, s State) []Step {
	var steps []Step
	for _, name := range slices.Sorted(maps.Keys(d.AccountSettings)) {
		if from, to := s.AccountSettings[name], d.AccountSettings[name]; from != to {
			steps = append(steps, Step{Object: r.String(), Action: ActionChange, Setting: name, From: from, To: to,
				do: func(ctx context.Context, r *Registry) error { return r.PutAccountSetting(ctx, name, to) }})
		}
	}
	if d.Scanning != nil && !d.Scanning.Equal(s.Scanning) {
		steps = append(steps, Step{Object: r.String(), Action: ActionChange, Setting: "scanning", From: s.Scanning.String(), To: d.Scanning.String(),
			do: func(ctx context.Context, r *Registry) error {
				_, err := r.PutScanningConfiguration(ctx, *d.Scanning)
				return err
			}})
	}
	for _, t := range d.Templates {
		before, exists := s.Templates[t.Name]
		if !exists {
			before = newTemplateBase(t.Name)
		}
		after := t.over(before)
		step := Step{Object: r.String(), Setting: "template " + t.Name, To: after.String()}
		switch {
		case !exists:
			step.Action = ActionCreate
			step.do = func(ctx context.Context, r *Registry) error { return r.CreateTemplate(ctx, after) }
		case !after.Equal(before):
			step.Action, step.From = ActionChange, before.String()
			step.do = func(ctx context.Context, r *Registry) error { return r.UpdateTemplate(ctx, after) }
		default:
			continue
		}
		steps = append(steps, step)
	}
	steps = append(steps, d.registrySteps(r.String(), s)...)
	for _, repository := range d.Repositories {
		has, exists := s.Repositories[repository.Name]
		steps = append(steps, repository.steps(r.Host+"/"+repository.Name, has, exists, s.OtherKeys[repository.Name])...)
	}
	return steps
}

// steps are those of a repository; otherKey says that its KMS key is another one.
func (d DesiredRepository) steps(object string, has Description, exists, otherKey bool) []Step {
	var steps []Step
	add := func(setting, from, to string, do func(ctx context.Context, r *Registry) error) {
		action := ActionChange
		if to == "" {
			action = ActionRemove
		}
		steps = append(steps, Step{Object: object, Action: action, Setting: setting, From: from, To: to, do: do})
	}
	if !exists {
		steps = append(steps, Step{Object: object, Action: ActionCreate, Setting: "repository", To: d.String(), do: func(ctx context.Context, r *Registry) error {
			_, err := r.CreateRepository(ctx, d.Name, d.settings())
			return err
		}})
	} else {
		if m := MutabilityOf(has.RepositoryDescription); d.Mutability != nil && !d.Mutability.Equal(m) {
			add("tagMutability", m.String(), d.Mutability.String(), func(ctx context.Context, r *Registry) error {
				return r.SetMutability(ctx, d.Name, *d.Mutability)
			})
		}
		if d.Encryption != "" && d.Encryption != has.Encryption || d.KMSKey != "" && otherKey {
			steps = append(steps, Step{Object: object, Action: ActionImpossible, Setting: "encryption",
				From: strings.TrimSpace(has.Encryption + " " + has.KMSKey), To: strings.TrimSpace(d.Encryption + " " + d.KMSKey)})
		}
		tags := map[string]string{}
		for key, value := range d.ResourceTags {
			if old, ok := has.ResourceTags[key]; !ok || old != value {
				tags[key] = value
			}
		}
		if len(tags) > 0 {
			before := map[string]string{}
			for key := range tags {
				if old, ok := has.ResourceTags[key]; ok {
					before[key] = old
				}
			}
			add("resourceTags", showTags(before), showTags(tags), func(ctx context.Context, r *Registry) error { return r.Tag(ctx, has.ARN, tags) })
		}
	}
	if p := d.Policy; p != nil && (p.Text != nil || has.Policy != nil) && !repopolicy.Same(p.Text, has.Policy) {
		add("policy", string(has.Policy), string(p.Text), func(ctx context.Context, r *Registry) error {
			if p.Text == nil {
				_, err := r.DeleteRepositoryPolicy(ctx, d.Name)
				return err
			}
			return r.PutRepositoryPolicy(ctx, d.Name, string(p.Text), false)
		})
	}
	if p := d.Lifecycle; p != nil && (p.Text != nil || has.LifecyclePolicy != nil) && !SameLifecyclePolicy(p.Text, has.LifecyclePolicy) {
		add("lifecyclePolicy", string(has.LifecyclePolicy), string(p.Text), func(ctx context.Context, r *Registry) error {
			if p.Text == nil {
				_, err := r.DeleteLifecyclePolicy(ctx, d.Name)
				return err
			}
			return r.PutLifecyclePolicy(ctx, d.Name, string(p.Text))
		})
		if policy, err := lifecycle.Parse(p.Text); exists && err == nil { // it was parsed before, or is none
			last := &steps[len(steps)-1]
			last.repository, last.policy = d.Name, policy
		}
	}
	return steps
}

// ReadState reads what exists of what is desired, and no more.
func (r *Registry) ReadState(ctx context.Context, d Desired) (State, error) {
	s := State{Repositories: map[string]Description{}, OtherKeys: map[string]bool{}, Templates: map[string]Template{}}
	var err error
	if len(d.AccountSettings) > 0 {
		if s.AccountSettings, err = r.AccountSettings(ctx); err != nil {
			return s, err
		}
	}
	if d.Scanning != nil {
		if s.Scanning, err = r.ScanningConfiguration(ctx); err != nil {
			return s, err
		}
	}
	if len(d.Templates) > 0 {
		templates, err := r.Templates(ctx)
		if err != nil {
			return s, err
		}
		for _, t := range templates {
			s.Templates[t.Prefix] = t
		}
	}
	if err := r.readRegistryState(ctx, d, &s); err != nil {
		return s, err
	}
	for _, repository := range d.Repositories {
		has, err := r.Repository(ctx, repository.Name)
		switch {
		case errors.Is(err, content.ErrNotFound):
			continue
		case err != nil:
			return s, err
		}
		if s.Repositories[repository.Name], err = r.describe(ctx, has); err != nil {
			return s, err
		}
		if repository.KMSKey != "" {
			s.OtherKeys[repository.Name] = !r.sameKey(ctx, repository.KMSKey, has.KMSKey)
		}
	}
	return s, nil
}

// Effects reads the images of the repositories that are to get another lifecycle policy,
// and says in the steps what that does with them at a time. It changes nothing.
func (r *Registry) Effects(ctx context.Context, steps []Step, at time.Time) error {
	for i := range steps {
		if steps[i].policy == nil {
			continue
		}
		effect, err := r.LifecycleEffect(ctx, steps[i].repository, steps[i].policy, at, ManifestsAuto)
		if err != nil {
			return err
		}
		summary := effect.After.Summary()
		steps[i].Effect = &summary
	}
	return nil
}

// errNotTried is the error of a step that comes after one that failed.
var errNotTried = errors.New("not tried, after what failed before")

// Do does the steps. One that fails has its Err, and the rest about the same repository
// are left out; others are done. It returns how many were done, and the errors.
func (r *Registry) Do(ctx context.Context, steps []Step) (done int, failures []error) {
	failed := map[string]bool{}
	for i := range steps {
		step := &steps[i]
		switch {
		case step.do == nil:
			continue
		case failed[step.Object] && step.Object != r.String():
			step.Err = errNotTried
			continue
		}
		if err := step.do(ctx, r); err != nil {
			step.Err = err
			failed[step.Object] = true
			failures = append(failures, err)
			continue
		}
		done++
	}
	return done, failures
}

// String is the configuration on a line, for people.
func (c ScanningConfiguration) String() string {
	text := c.Type
	for _, rule := range c.Rules {
		text += fmt.Sprintf(", %s of %s", rule.Frequency, strings.Join(rule.Filters, " "))
	}
	return text
}

// String is the template on a line, for people.
func (t Template) String() string {
	t.CreatedAt, t.UpdatedAt = nil, nil
	text, err := json.Marshal(t)
	if err != nil {
		return t.Prefix
	}
	return string(text)
}

// String says with which settings the repository is created, for people.
func (d DesiredRepository) String() string {
	var m Mutability
	if d.Mutability != nil {
		m = *d.Mutability
	}
	text := m.String() + ", " + strings.TrimSpace(cmp.Or(d.Encryption, "AES256")+" "+d.KMSKey)
	if len(d.ResourceTags) > 0 {
		text += ", " + showTags(d.ResourceTags)
	}
	return text
}

func showTags(tags map[string]string) string {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		all = append(all, key+"="+tags[key])
	}
	return strings.Join(all, " ")
}
