package audit

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/ecrkit/ecrkit/internal/governance"
	"github.com/ecrkit/ecrkit/internal/lazyregexp"
	"github.com/ecrkit/ecrkit/internal/repopolicy"
	"github.com/ecrkit/ecrkit/lifecycle"
)

// Finding is a failed control of a repository. Its JSON form is stable: fields are only added.
type Finding struct {
	ID       string   `json:"id"` // of the control
	Severity Severity `json:"severity"`
	Text     string   `json:"text"`
	// Command fixes it. A shell refuses one with placeholders.
	Command string `json:"command"`
	// Placeholders are the parts of Command that only a person can know, such as <KMS_KEY>; [] if
	// Command can be run as it is.
	Placeholders []string `json:"placeholders"`
	// Object is the part of the registry's settings that it is about, such as the prefix of a rule.
	Object string `json:"object,omitempty"`
}

// Check returns the failed controls of a repository, the worst first.
func Check(d governance.Description, replicas Replicas) []Finding {
	r := repository{d}
	var findings []Finding
	for _, check := range []func() *Finding{
		r.scanning, r.immutability, r.lifecycle, r.key, r.policy, r.untagged, r.tags, func() *Finding { return r.replicas(replicas) },
	} {
		if f := check(); f != nil {
			findings = append(findings, *f)
		}
	}
	sortFindings(findings)
	return findings
}

func sortFindings(findings []Finding) {
	slices.SortStableFunc(findings, func(a, b Finding) int { return cmp.Compare(a.Severity.rank(), b.Severity.rank()) })
}

// placeholder is a part of a command that a shell refuses, so that nobody runs it as it is.
var placeholder = lazyregexp.New(`<[A-Z_]+>`)

// finding returns a finding of the usual severity of its control.
func finding(id, text, command string) *Finding {
	return &Finding{ID: id, Severity: control(id).Severity, Text: text, Command: command, Placeholders: append([]string{}, placeholder.FindAllString(command, -1)...)}
}

// repository is what is checked. Each check returns nil if its control is ok.
type repository struct{ governance.Description }

// place is HOST/NAME.
func (r repository) place() string { return r.Host + "/" + r.Name }

func (r repository) scanning() *Finding {
	command := fmt.Sprintf("ecrkit repo scanning add %s --on-push %s", r.Host, r.Name)
	switch {
	case r.Scanning == nil:
		return finding(ControlScanning, "it is not known whether images are scanned: only the registry's own account can read that", command)
	case r.Scanning.Automatic():
		return nil
	}
	return finding(ControlScanning, "images are scanned only when somebody starts a scan", command)
}

func (r repository) immutability() *Finding {
	command := "ecrkit repo set " + r.place() + " --immutable-tags"
	m := governance.MutabilityOf(r.Description.RepositoryDescription)
	everything := slices.ContainsFunc(m.Exclusions, func(e string) bool { return strings.Trim(e, "*") == "" })
	switch {
	case m.Immutable && everything:
		return finding(ControlImmutable, "tags are immutable except those that match *, which is all of them", command)
	case m.Immutable:
		return nil
	case len(m.Exclusions) > 0:
		return finding(ControlImmutable, "tags can be moved to other images, except "+strings.Join(m.Exclusions, ", "), command)
	}
	return finding(ControlImmutable, "tags can be moved to other images", command)
}

// editing returns a command that reads a policy into a file, opens it in an editor and sets it.
func editing(get, set string) string {
	return get + " >policy.json && ${EDITOR:-vi} policy.json && " + set
}

func (r repository) lifecycle() *Finding {
	if r.LifecyclePolicy != nil {
		return nil
	}
	return finding(ControlLifecycle, "there is no lifecycle policy",
		"ecrkit lifecycle new --untagged-older-than 14 >policy.json && ecrkit lifecycle put "+r.place()+" --policy policy.json")
}

// untagged is about rules that expire images: one that only archives them keeps them.
func (r repository) untagged() *Finding {
	if r.LifecyclePolicy == nil {
		return nil
	}
	command := editing("ecrkit lifecycle get "+r.place(), "ecrkit lifecycle put "+r.place()+" --policy policy.json")
	p, err := lifecycle.Parse(r.LifecyclePolicy)
	if err != nil {
		return finding(ControlUntagged, "the lifecycle policy cannot be read: "+err.Error(), command)
	}
	removes := slices.ContainsFunc(p.Rules(), func(rule lifecycle.Rule) bool {
		return rule.Action.Type == lifecycle.ActionExpire && rule.Selection.Class() != lifecycle.Archive && rule.Selection.TagStatus != lifecycle.Tagged
	})
	if removes {
		return nil
	}
	return finding(ControlUntagged, "no rule of the lifecycle policy removes untagged images; `ecrkit lifecycle new --untagged-older-than 14` prints one that does", command)
}

func (r repository) key() *Finding {
	command := fmt.Sprintf("ecrkit repo create %s-kms --kms-key <KMS_KEY> && ecrkit copy %s %s-kms --all-tags", r.place(), r.place(), r.place())
	const fixed = "; the encryption of a repository cannot be changed, so copy its images to a new one"
	switch {
	case r.KeyManager == governance.KeyOfCustomer:
		return nil
	case r.Encryption == "AES256":
		return finding(ControlKey, "images are encrypted with a key of Amazon S3"+fixed, command)
	case r.KeyManager == governance.KeyOfAWS:
		return finding(ControlKey, "images are encrypted with the key that AWS manages for Amazon ECR"+fixed, command)
	}
	return finding(ControlKey, "it is not known whether images are encrypted with a key of your own: AWS KMS does not describe "+cmp.Or(r.KMSKey, "the key")+
		", which needs kms:DescribeKey", command)
}

func (r repository) policy() *Finding {
	return checkPolicy(r.Policy, openPolicy{
		control: ControlOpen, kind: "repository", commands: "ecrkit repo policy", place: r.place(),
		read: "pull", write: "push or change the repository",
	})
}

// openPolicy is how to say that a policy lets in any AWS account, and what to do.
type openPolicy struct {
	control         string
	kind            string // of the policy
	commands, place string // COMMANDS get|set|rm PLACE
	read, write     string // what any account may do
}

// checkPolicy returns a finding about a policy that lets in any AWS account; nil is no policy.
func checkPolicy(text []byte, o openPolicy) *Finding {
	if text == nil {
		return nil
	}
	command := editing(o.commands+" get "+o.place, o.commands+" set policy.json "+o.place)
	policy, err := repopolicy.Parse(text)
	if err != nil {
		return finding(o.control, "the "+o.kind+" policy cannot be read: "+err.Error(), command)
	}
	statements, write := openStatements(policy)
	if statements == "" {
		return nil
	}
	if !letsInOthers(policy) {
		command = o.commands + " rm " + o.place
	}
	f := finding(o.control, "the "+o.kind+" policy lets any AWS account "+o.read+": "+statements, command)
	if write {
		f.Severity = Critical
		f.Text = "the " + o.kind + " policy lets any AWS account " + o.write + ": " + statements
	}
	return f
}

func (r repository) tags() *Finding {
	if len(r.ResourceTags) > 0 {
		return nil
	}
	return finding(ControlTags, "there are no resource tags", "ecrkit repo tag "+r.place()+" <KEY>=<VALUE>")
}
