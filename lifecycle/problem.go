package lifecycle

import (
	"fmt"
	"strings"
)

// Severity is how bad a problem is.
type Severity string

// The severities. Amazon ECR refuses a policy with an error. A warning is about a rule
// that probably does not do what was intended. A note is information.
const (
	SeverityError   Severity = "error"
	SeverityWarning Severity = "warning"
	SeverityNote    Severity = "note"
)

// Problem is an error in a policy, or something that may surprise.
type Problem struct {
	Severity Severity `json:"severity"`
	// Code names the kind of problem, the same in all versions: "shadowed", for one.
	Code string `json:"code"`
	// Rule is the priority of the rule; 0 if the problem is not about one rule, or if the
	// priority is unknown.
	Rule int `json:"rulePriority,omitempty"`
	// Field is where it is, as "rules[1].selection.countUnit"; rules are counted from
	// 0 in the order of the text.
	Field   string `json:"field,omitempty"`
	Message string `json:"message"`
	// Line and Column, both from 1, are where it is in the text; 0 without a text.
	Line   int `json:"line,omitempty"`
	Column int `json:"column,omitempty"`
}

// String is the rule, the field and the message.
func (p Problem) String() string {
	where := p.Field
	if p.Rule > 0 {
		where = fmt.Sprintf("rule %d", p.Rule)
		if _, field, ok := strings.Cut(p.Field, "]."); ok {
			where += ": " + field
		}
	}
	if where == "" {
		return p.Message
	}
	return where + ": " + p.Message
}

// InvalidError is the error of a policy that Amazon ECR refuses.
type InvalidError struct {
	Problems []Problem // at least one, all errors
}

func (e *InvalidError) Error() string {
	const most = 10
	var texts []string
	for i, p := range e.Problems {
		if i == most {
			texts = append(texts, fmt.Sprintf("and %d more", len(e.Problems)-most))
			break
		}
		texts = append(texts, p.String())
	}
	return "invalid lifecycle policy: " + strings.Join(texts, "; ")
}
