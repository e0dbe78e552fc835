package lifecycle_test

import (
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/ecrkit/ecrkit/lifecycle"
)

const policyText = `{"rules": [
  {"rulePriority": 1, "selection": {"tagStatus": "tagged", "tagPatternList": ["v*"], "countType": "imageCountMoreThan", "countNumber": 1}, "action": {"type": "expire"}},
  {"rulePriority": 2, "selection": {"tagStatus": "any", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 14}, "action": {"type": "expire"}}
]}`

// What aws ecr describe-images prints.
const imageList = `{"imageDetails": [
  {"repositoryName": "app", "imageDigest": "sha256:1111111111111111111111111111111111111111111111111111111111111111", "imageTags": ["v1"], "imagePushedAt": "2026-01-01T00:00:00Z"},
  {"repositoryName": "app", "imageDigest": "sha256:2222222222222222222222222222222222222222222222222222222222222222", "imageTags": ["v2"], "imagePushedAt": "2026-01-10T00:00:00Z"},
  {"repositoryName": "app", "imageDigest": "sha256:3333333333333333333333333333333333333333333333333333333333333333", "imagePushedAt": "2026-01-05T00:00:00Z"}
]}`

func evaluation() lifecycle.Evaluation {
	policy, err := lifecycle.Parse([]byte(policyText))
	if err != nil {
		log.Fatal(err)
	}
	inventory, err := lifecycle.ReadImages(strings.NewReader(imageList))
	if err != nil {
		log.Fatal(err)
	}
	return lifecycle.Evaluate(policy, inventory.Images, time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC))
}

// Evaluate a policy for the images of a repository at a time, without an AWS account.
func ExampleEvaluate() {
	e := evaluation()
	for i, v := range e.Verdicts {
		fmt.Printf("%s: %s\n", v.Outcome, e.Reason(i))
	}
	// Output:
	// EXPIRE: number 2 of 2, and rule 1 keeps the newest 1
	// KEEP: number 1 of 2, and rule 1 keeps the newest 1; so rule 2 cannot expire it
	// EXPIRE: pushed 27 days ago, older than 14 days (rule 2)
}

// Explain how each rule treats one image.
func ExampleEvaluation_Explain() {
	e := evaluation()
	i, err := e.Find("v2") // a tag, or the beginning of a digest
	if err != nil {
		log.Fatal(err)
	}
	for _, view := range e.Explain(i).Rules {
		fmt.Printf("rule %d: %s: %s\n", view.Rule.Priority, view.Effect, view.Reason)
	}
	// Output:
	// rule 1: keeps: number 1 of 2, and rule 1 keeps the newest 1
	// rule 2: shielded: pushed 22 days ago, older than 14 days (rule 2)
}

// Lint a policy before it deletes images.
func ExampleLint() {
	for _, problem := range lifecycle.Lint([]byte(`{"rules": [
  {"rulePriority": 1, "selection": {"tagStatus": "tagged", "tagPatternList": ["*"], "countType": "imageCountMoreThan", "countNumber": 5}, "action": {"type": "expire"}},
  {"rulePriority": 2, "selection": {"tagStatus": "tagged", "tagPatternList": ["dev-*"], "countType": "imageCountMoreThan", "countNumber": 2}, "action": {"type": "expire"}}
]}`)) {
		fmt.Printf("line %d: %s: %s [%s]\n", problem.Line, problem.Severity, problem, problem.Code)
	}
	// Output:
	// line 3: warning: rule 2: selection: it never acts: rule 1 identifies all its images, and shields them [shadowed]
}
