package audit

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ecrkit/ecrkit/internal/governance"
	"github.com/ecrkit/ecrkit/internal/repopolicy"
)

// Evidence is what was read of a registry and its repositories.
type Evidence struct {
	Repositories []governance.Description
	Replicas     Replicas
	Registry     *RegistryEvidence // nil if the settings of the registry are not audited
	Failures     []error           // about repositories that could not be read
}

// Replicas are those of repositories in the registry's own account, by name.
type Replicas struct {
	ByName map[string][]governance.Replica
	// Elsewhere are the destinations in other accounts, which are not checked.
	Elsewhere []governance.ReplicationDestination
	Err       error // why they are not known
}

// RegistryEvidence is what was read of the settings of a registry.
type RegistryEvidence struct {
	Policy        []byte // nil if there is none
	PolicyErr     error
	CacheRules    []governance.CheckedCacheRule
	CacheRulesErr error
}

// CheckRegistry returns the failed controls of the settings of a registry, the worst first.
func CheckRegistry(host string, e RegistryEvidence) []Finding {
	var findings []Finding
	if f := checkRegistryPolicy(host, e); f != nil {
		findings = append(findings, *f)
	}
	findings = append(findings, checkCacheRules(host, e)...)
	sortFindings(findings)
	return findings
}

func checkRegistryPolicy(host string, e RegistryEvidence) *Finding {
	if e.PolicyErr != nil {
		return finding(ControlRegistryOpen, "it is not known whether the registry policy lets in everybody: "+reason(e.PolicyErr), "ecrkit registry policy get "+host)
	}
	return checkPolicy(e.Policy, openPolicy{
		control: ControlRegistryOpen, kind: "registry", commands: "ecrkit registry policy", place: host,
		read: "read", write: "replicate to the registry or change it",
	})
}

func checkCacheRules(host string, e RegistryEvidence) []Finding {
	if e.CacheRulesErr != nil {
		return []Finding{*finding(ControlCache, "it is not known whether pull-through cache rules work: "+reason(e.CacheRulesErr), "ecrkit registry pull-through get "+host)}
	}
	var findings []Finding
	for _, rule := range e.CacheRules {
		command := "ecrkit registry pull-through status " + rule.Prefix + " " + host
		text := fmt.Sprintf("it is not known whether the pull-through cache rule %s works", rule.Prefix)
		switch {
		case rule.Err == nil:
			continue
		case errors.Is(rule.Err, governance.ErrCacheRuleInvalid):
			command = fmt.Sprintf("ecrkit registry pull-through set %s %s %s --credential <SECRET_ARN>", rule.Prefix, rule.Upstream, host)
			if rule.Credential == "" {
				command = fmt.Sprintf("ecrkit registry pull-through set %s %s %s --custom-role <ROLE_ARN>", rule.Prefix, rule.Upstream, host)
			}
			text = fmt.Sprintf("the pull-through cache rule %s of %s does not work", rule.Prefix, rule.Upstream)
		}
		f := finding(ControlCache, text+": "+reason(rule.Err), command)
		f.Object = rule.Prefix
		findings = append(findings, *f)
	}
	return findings
}

// reason is what an error says, without what the text of a finding says already.
func reason(err error) string {
	if errors.Is(err, governance.ErrOtherAccount) {
		return "only the registry's own account can read that"
	}
	text := err.Error()
	if _, after, ok := strings.Cut(text, governance.ErrCacheRuleInvalid.Error()+": "); ok {
		return after
	}
	return text
}

// openStatements names the statements that let in everybody, "" if there are none, and reports whether one of them allows
// to change something.
func openStatements(policy repopolicy.Policy) (names string, write bool) {
	var all []string
	for _, o := range policy.Open() {
		name := fmt.Sprintf("statement %d", o.Number)
		if o.Sid != "" {
			name += " (" + o.Sid + ")"
		}
		all = append(all, name)
		write = write || o.Write
	}
	return strings.Join(all, ", "), write
}

// letsInOthers reports whether a policy allows something to certain principals.
func letsInOthers(policy repopolicy.Policy) bool {
	return slices.ContainsFunc(policy.Statements, func(s repopolicy.Statement) bool { return s.Effect == "Allow" && !s.Everybody() })
}

// replicas compares the repository with those that get its images.
func (r repository) replicas(all Replicas) *Finding {
	if all.Err != nil {
		return finding(ControlReplica, "it is not known whether the repository is replicated: "+reason(all.Err), "ecrkit registry replication get "+r.Host)
	}
	var texts, commands []string
	for _, replica := range all.ByName[r.Name] {
		text, command := r.differences(replica)
		if text != "" {
			texts, commands = append(texts, text), append(commands, command)
		}
	}
	if texts == nil {
		return nil
	}
	return finding(ControlReplica, strings.Join(texts, "; ")+"; Amazon ECR replicates images, but not settings", strings.Join(commands, " && "))
}

// differences says how a replica differs, "" if it does not, and which command ends that.
func (r repository) differences(replica governance.Replica) (text, command string) {
	place := replica.Host + "/" + r.Name
	if replica.Err != nil {
		return fmt.Sprintf("it is not known whether its replica in %s has the same settings: %s", replica.Destination, reason(replica.Err)),
			"ecrkit repo audit " + r.place()
	}
	own := governance.MutabilityOf(r.RepositoryDescription)
	var differences, commands []string
	if !replica.Exists {
		create := "ecrkit repo create " + place
		if own.Immutable {
			create += mutabilityFlags(own)
		}
		commands = append(commands, create)
		if !own.Immutable && len(own.Exclusions) > 0 {
			commands = append(commands, "ecrkit repo set "+place+mutabilityFlags(own))
		}
	}
	if !own.Equal(replica.Mutability) {
		what := fmt.Sprintf("tags are %s instead of %s", replica.Mutability, own)
		if replica.Mutability.Immutable && !own.Immutable {
			what += ", so that an image whose tag was moved arrives without it"
		}
		differences = append(differences, what)
		if replica.Exists {
			commands = append(commands, "ecrkit repo set "+place+mutabilityFlags(own))
		}
	}
	if r.LifecyclePolicy != nil && !replica.Lifecycle {
		differences = append(differences, "there is no lifecycle policy")
		commands = append(commands, "ecrkit lifecycle get "+r.place()+" >policy.json && ecrkit lifecycle put "+place+" --policy policy.json")
	}
	if differences == nil {
		return "", ""
	}
	text = fmt.Sprintf("its replica in %s differs: %s", replica.Destination, strings.Join(differences, ", "))
	if !replica.Exists {
		text = fmt.Sprintf("its replica in %s does not exist yet, and would differ: %s", replica.Destination, strings.Join(differences, ", "))
	}
	return text, strings.Join(commands, " && ")
}

// mutabilityFlags are the flags that set this mutability of a repository.
func mutabilityFlags(m governance.Mutability) string {
	text := " --mutable-tags"
	if m.Immutable {
		text = " --immutable-tags"
	}
	for _, e := range m.Exclusions {
		text += " --mutability-exclusion '" + e + "'"
	}
	return text
}
