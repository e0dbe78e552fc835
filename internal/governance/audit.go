package governance

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/ecrkit/ecrkit/lifecycle"
)

// AuditFinding is a control that a repository misses. Its JSON form is stable: fields
// are only added.
type AuditFinding struct {
	ID       string   `json:"id"` // of the control
	Severity Severity `json:"severity"`
	Text     string   `json:"text"`
	// Command mends it. What only a person can know is in capital letters.
	Command string `json:"command"`
}

// Audit says which controls a repository misses, the worst first. It fails closed: what is
// not known of the repository counts as missed.
func Audit(d Description) []AuditFinding {
	var findings []AuditFinding
	for _, rule := range []func(Description) *AuditFinding{
		auditScanning, auditImmutability, auditLifecycle, auditKey, auditPolicy, auditUntagged, auditTags,
	} {
		if f := rule(d); f != nil {
			findings = append(findings, *f)
		}
	}
	slices.SortStableFunc(findings, func(a, b AuditFinding) int { return cmp.Compare(a.Severity.rank(), b.Severity.rank()) })
	return findings
}

// finding is one of the usual severity.
func finding(id, text, command string) *AuditFinding {
	return &AuditFinding{ID: id, Severity: control(id).Severity, Text: text, Command: command}
}

// place is HOST/NAME.
func (d Description) place() string { return d.Host + "/" + d.Name }

func auditScanning(d Description) *AuditFinding {
	command := fmt.Sprintf("ecrkit repo scanning add %s --on-push %s", d.Host, d.Name)
	switch {
	case d.Scanning == nil:
		return finding(ControlScanning, "it is not known whether its images are scanned: only the registry's own account may read that", command)
	case d.Scanning.Automatic():
		return nil
	}
	return finding(ControlScanning, "its images are scanned only when somebody asks for it", command)
}

func auditImmutability(d Description) *AuditFinding {
	command := "ecrkit repo set " + d.place() + " --immutable-tags"
	m := MutabilityOf(d.Description)
	everything := slices.ContainsFunc(m.Exclusions, func(e string) bool { return strings.Trim(e, "*") == "" })
	switch {
	case m.Immutable && everything:
		return finding(ControlImmutable, "its tags are immutable but for *, which is all of them", command)
	case m.Immutable:
		return nil
	case len(m.Exclusions) > 0:
		return finding(ControlImmutable, "its tags can be moved to other images, but for "+strings.Join(m.Exclusions, ", "), command)
	}
	return finding(ControlImmutable, "its tags can be moved to other images", command)
}

// editing gets a policy into a file, has it edited, and sets it.
func editing(get, set string) string {
	return get + " >policy.json && ${EDITOR:-vi} policy.json && " + set
}

func auditLifecycle(d Description) *AuditFinding {
	if d.LifecyclePolicy != nil {
		return nil
	}
	return finding(ControlLifecycle, "it has no lifecycle policy",
		"ecrkit lifecycle new --untagged-older-than 14 >policy.json && ecrkit lifecycle put "+d.place()+" --policy policy.json")
}

// auditUntagged is about rules that expire: one that only archives keeps images, too.
func auditUntagged(d Description) *AuditFinding {
	if d.LifecyclePolicy == nil {
		return nil
	}
	command := editing("ecrkit lifecycle get "+d.place(), "ecrkit lifecycle put "+d.place()+" --policy policy.json")
	p, err := lifecycle.Parse(d.LifecyclePolicy)
	if err != nil {
		return finding(ControlUntagged, "its lifecycle policy is not understood: "+err.Error(), command)
	}
	removes := slices.ContainsFunc(p.Rules(), func(r lifecycle.Rule) bool {
		return r.Action.Type == lifecycle.ActionExpire && r.Selection.Class() != lifecycle.Archive && r.Selection.TagStatus != lifecycle.Tagged
	})
	if removes {
		return nil
	}
	return finding(ControlUntagged, "no rule of its lifecycle policy ever removes images without a tag; `ecrkit lifecycle new --untagged-older-than 14` prints one that does", command)
}

func auditKey(d Description) *AuditFinding {
	command := fmt.Sprintf("ecrkit repo create %s-kms --kms-key KEY && ecrkit copy %s %s-kms --all-tags", d.place(), d.place(), d.place())
	const fixed = "; that is fixed when a repository is created, so its images have to go to another"
	switch {
	case d.KeyManager == KeyOfCustomer:
		return nil
	case d.Encryption == "AES256":
		return finding(ControlKey, "it is encrypted with a key of Amazon S3"+fixed, command)
	case d.KeyManager == KeyOfAWS:
		return finding(ControlKey, "it is encrypted with the key that AWS manages for Amazon ECR"+fixed, command)
	}
	return finding(ControlKey, "it is not known whether it is encrypted with a key of your own: AWS KMS does not tell of "+cmp.Or(d.KMSKey, "its key")+
		", for which kms:DescribeKey is needed", command)
}

func auditPolicy(d Description) *AuditFinding {
	if d.Policy == nil {
		return nil
	}
	command := editing("ecrkit repo policy get "+d.place(), "ecrkit repo policy set policy.json "+d.place())
	document, err := ParsePolicyDocument(d.Policy)
	if err != nil {
		return finding(ControlOpen, "its repository policy is not understood: "+err.Error(), command)
	}
	open := document.Open()
	if len(open) == 0 {
		return nil
	}
	var names []string
	write := false
	for _, o := range open {
		name := fmt.Sprintf("statement %d", o.Number)
		if o.Sid != "" {
			name += " (" + o.Sid + ")"
		}
		names = append(names, name)
		write = write || o.Write
	}
	if !slices.ContainsFunc(document.Statements, func(s Statement) bool { return s.Effect == "Allow" && !s.everybody() }) {
		command = "ecrkit repo policy rm " + d.place() // it lets in nobody else who would be shut out
	}
	f := finding(ControlOpen, "its repository policy lets any AWS account pull, by "+strings.Join(names, ", "), command)
	if write {
		f.Severity = SeverityCritical
		f.Text = "its repository policy lets any AWS account change it or push, by " + strings.Join(names, ", ")
	}
	return f
}

func auditTags(d Description) *AuditFinding {
	if len(d.ResourceTags) > 0 {
		return nil
	}
	return finding(ControlTags, "it has no resource tags", "ecrkit repo tag "+d.place()+" KEY=VALUE")
}
