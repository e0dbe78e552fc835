package lifecycle

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// ruleText makes the text of a rule out of its selection and action.
func ruleText(priority int, selection, action string) string {
	return fmt.Sprintf(`{"rulePriority":%d,"selection":{%s},"action":{%s}}`, priority, selection, action)
}

func policyText(rules ...string) string { return `{"rules":[` + strings.Join(rules, ",\n") + `]}` }

const (
	keepOne   = `"countType":"imageCountMoreThan","countNumber":1`
	olderThan = `"countType":"sinceImagePushed","countUnit":"days","countNumber":1`
	expire    = `"type":"expire"`
	archive   = `"type":"transition","targetStorageClass":"archive"`
)

func TestParseRefuses(t *testing.T) {
	any1 := ruleText(1, `"tagStatus":"any",`+keepOne, expire)
	var many []string
	for n := range MaxRules + 1 {
		many = append(many, ruleText(n+1, fmt.Sprintf(`"tagStatus":"tagged","tagPrefixList":["p%d"],`, n)+keepOne, expire))
	}
	for _, x := range []struct{ name, text, want string }{
		{"empty", ``, "it is not JSON: it ends too early"},
		{"cut", any1[:20], "it is not JSON: it ends too early"},
		{"more", policyText(any1) + "{}", "it is not JSON: there is more after the object"},
		{"comma", `{"rules":[,]}`, "it is not JSON: invalid character"},
		{"not UTF-8", "{\"rules\":\"\xff\"}", "it is not JSON: it is not UTF-8"},
		{"a list", `[]`, "must be an object, not a list"},
		{"deep", strings.Repeat("[", 1000), "nested too deeply"},
		{"no rules", `{"rules":[]}`, "rules: has no rule"},
		{"rules missing", `{}`, "rules: is missing"},
		{"rules null", `{"rules":null}`, "rules: must be a list of rules, not null; leave the field out instead"},
		{"too many rules", policyText(many...), "rules: has 51 rules; Amazon ECR accepts 50"},
		{"too long", policyText(any1) + strings.Repeat(" ", MaxPolicyLength), "Amazon ECR accepts 30720"},
		{"unknown", `{"rules":[` + any1 + `],"Version":1}`, "Version: is not a field of a policy"},
		{"a name for terminals", `{"rules":[` + any1 + `],"\u001b]0;x":1}`, `"\x1b]0;x": is not a field of a policy`},
		{"more than ten", `{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":1,"k":1,"l":1,"rules":[` + any1 + `]}`, "; and 2 more"},
		{"wrong case", policyText(ruleText(1, `"tagstatus":"any",`+keepOne, expire)), `rule 1: selection.tagstatus: is not a field of a policy; write tagStatus`},
		{"twice", policyText(ruleText(1, `"tagStatus":"any","tagStatus":"untagged",`+keepOne, expire)), "rule 1: selection.tagStatus: appears twice"},
		{"priority twice", `{"rules":[{"rulePriority":1,"rulePriority":2,"selection":{"tagStatus":"any",` + keepOne + `},"action":{` + expire + `}}]}`, "rulePriority: appears twice"},
		{"string for number", `{"rules":[{"rulePriority":"1","selection":{"tagStatus":"any",` + keepOne + `},"action":{` + expire + `}}]}`, "rules[0].rulePriority: must be a number, not a string"},
		{"fraction", policyText(ruleText(1, `"tagStatus":"any","countType":"imageCountMoreThan","countNumber":1.5`, expire)), "must be a whole number"},
		{"huge", policyText(ruleText(1, `"tagStatus":"any","countType":"imageCountMoreThan","countNumber":99999999999`, expire)), "must be a whole number of at most 2147483647"},
		{"null", policyText(ruleText(1, `"tagStatus":"any",`+keepOne, `"type":"expire","targetStorageClass":null`)), "must be a string, not null; leave the field out instead"},
		{"priority 0", policyText(ruleText(0, `"tagStatus":"any",`+keepOne, expire)), "rules[0].rulePriority: must be at least 1, not 0"},
		{"same priority", policyText(ruleText(1, `"tagStatus":"untagged",`+keepOne, expire), any1), "rule 1: rulePriority: 1 is that of rules[0] too"},
		{"status", policyText(ruleText(1, `"tagStatus":"ANY",`+keepOne, expire)), `rule 1: selection.tagStatus: must be "tagged", "untagged" or "any", not "ANY"`},
		{"tagged without list", policyText(ruleText(2, `"tagStatus":"tagged",`+keepOne, expire)), "rule 2: selection.tagPatternList: tagPatternList or tagPrefixList is required"},
		{"tagged with empty list", policyText(ruleText(1, `"tagStatus":"tagged","tagPrefixList":[],`+keepOne, expire)), "is required when tagStatus is \"tagged\""},
		{"both lists", policyText(ruleText(1, `"tagStatus":"tagged","tagPrefixList":["a"],"tagPatternList":["b"],`+keepOne, expire)), "cannot be combined with tagPatternList"},
		{"list of numbers", policyText(ruleText(1, `"tagStatus":"tagged","tagPrefixList":[1],`+keepOne, expire)), "selection.tagPrefixList[0]: must be a string, not a number"},
		{"empty prefix", policyText(ruleText(1, `"tagStatus":"tagged","tagPrefixList":[""],`+keepOne, expire)), "selection.tagPrefixList[0]: must not be empty"},
		{"untagged with list", policyText(ruleText(1, `"tagStatus":"untagged","tagPrefixList":["a"],`+keepOne, expire)), `must be left out when tagStatus is "untagged"`},
		{"any with empty list", policyText(ruleText(1, `"tagStatus":"any","tagPatternList":[],`+keepOne, expire)), `must be left out when tagStatus is "any"`},
		{"five wildcards", policyText(ruleText(1, `"tagStatus":"tagged","tagPatternList":["test*1*2*3*4*5*6"],`+keepOne, expire)), "has 6 wildcards (*); Amazon ECR accepts 4"},
		{"count 0", policyText(ruleText(1, `"tagStatus":"any","countType":"imageCountMoreThan","countNumber":0`, expire)), "countNumber: must be at least 1, not 0"},
		{"unit with count", policyText(ruleText(1, `"tagStatus":"any","countUnit":"days",`+keepOne, expire)), "countUnit: must be left out"},
		{"no unit", policyText(ruleText(1, `"tagStatus":"any","countType":"sinceImagePushed","countNumber":1`, expire)), `countUnit: must be "days" when`},
		{"hours", policyText(ruleText(1, `"tagStatus":"any","countType":"sinceImagePushed","countUnit":"hours","countNumber":1`, expire)), `countUnit: must be "days", not "hours"`},
		{"count type", policyText(ruleText(1, `"tagStatus":"any","countType":"imageAge","countNumber":1`, expire)), `countType: must be "imageCountMoreThan"`},
		{"pulled and expire", policyText(ruleText(1, `"tagStatus":"any","countType":"sinceImagePulled","countUnit":"days","countNumber":90`, expire)), "images cannot be expired by \"sinceImagePulled\""},
		{"transitioned without class", policyText(ruleText(1, `"tagStatus":"any","countType":"sinceImageTransitioned","countUnit":"days","countNumber":90`, expire)), `storageClass: must be "archive"`},
		{"transitioned and transition", policyText(ruleText(1, `"tagStatus":"any","storageClass":"archive","countType":"sinceImageTransitioned","countUnit":"days","countNumber":90`, archive)), "images in the archive can only be expired"},
		{"transitioned 89", policyText(ruleText(1, `"tagStatus":"any","storageClass":"archive","countType":"sinceImageTransitioned","countUnit":"days","countNumber":89`, expire)), "countNumber: must be at least 90"},
		{"pushed in the archive", policyText(ruleText(1, `"tagStatus":"any","storageClass":"archive",`+olderThan, expire)), `storageClass: must be "standard", or left out`},
		{"action", policyText(ruleText(1, `"tagStatus":"any",`+keepOne, `"type":"archive"`)), `action.type: must be "expire" or "transition", not "archive"`},
		{"transition without target", policyText(ruleText(1, `"tagStatus":"any",`+keepOne, `"type":"transition"`)), "targetStorageClass: must be \"archive\""},
		{"expire with target", policyText(ruleText(1, `"tagStatus":"any",`+keepOne, `"type":"expire","targetStorageClass":"archive"`)), "targetStorageClass: must be left out"},
		{"transition to standard", policyText(ruleText(1, `"tagStatus":"any",`+keepOne, `"type":"transition","targetStorageClass":"standard"`)), `must be "archive", not "standard"`},
		{"any not last", policyText(any1, ruleText(2, `"tagStatus":"untagged",`+olderThan, expire)), "rule 1: rulePriority: a rule with tagStatus \"any\" must have the highest number"},
		{"two any", policyText(any1, ruleText(2, `"tagStatus":"any",`+olderThan, expire)), "rule 2: selection.tagStatus: rule 1 is about all images of the storage class standard already"},
		{"two untagged", policyText(ruleText(1, `"tagStatus":"untagged",`+keepOne, expire), ruleText(2, `"tagStatus":"untagged",`+olderThan, expire)), "rule 1 is about untagged images"},
		{"same prefixes", policyText(ruleText(1, `"tagStatus":"tagged","tagPrefixList":["a","b"],`+keepOne, expire), ruleText(2, `"tagStatus":"tagged","tagPrefixList":["b","a"],`+olderThan, expire)), "rule 2: selection: rule 1 is about the same tags"},
	} {
		t.Run(x.name, func(t *testing.T) {
			p, err := Parse([]byte(x.text))
			var invalid *InvalidError
			if !errors.As(err, &invalid) || p != nil {
				t.Fatalf("no InvalidError, but %v", err)
			}
			if !strings.Contains(err.Error(), x.want) {
				t.Errorf("got  %v\nwant %s", err, x.want)
			}
		})
	}
}

func TestParseTakes(t *testing.T) {
	for _, text := range []string{
		policyText(ruleText(5, `"tagStatus":"tagged","tagPatternList":["*test*1*2*3","test*1*2*3*"],`+keepOne, expire)),
		policyText(ruleText(7, `"tagStatus":"any",`+keepOne, expire), ruleText(3, `"tagStatus":"untagged","storageClass":"standard",`+olderThan, archive)),
		// One rule about any, and one about untagged, images in each storage class.
		policyText(ruleText(1, `"tagStatus":"any","countType":"sinceImagePulled","countUnit":"days","countNumber":90`, archive),
			ruleText(2, `"tagStatus":"any","storageClass":"archive","countType":"sinceImageTransitioned","countUnit":"days","countNumber":365`, expire)),
		policyText(ruleText(1, `"tagStatus":"tagged","tagPrefixList":["a"],`+keepOne, expire), ruleText(2, `"tagStatus":"tagged","tagPatternList":["a"],`+keepOne, expire)),
	} {
		p, err := Parse([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		again, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		same, err := Parse(again)
		if err != nil || !reflect.DeepEqual(p, same) {
			t.Errorf("%s is read as %+v, then %+v (%v)", text, p, same, err)
		}
	}
}

// TestProblems wants all problems of a policy at once, each with its place.
func TestProblems(t *testing.T) {
	_, err := Parse([]byte(`{
  "rules": [
    {
      "rulePriority": 4,
      "selection": {
        "tagStatus": "tagged",
        "countType": "imageCountMoreThan",
        "countUnit": "days",
        "countNumber": 0
      },
      "action": {"type": "expire"}
    }
  ]
}`))
	var invalid *InvalidError
	if !errors.As(err, &invalid) {
		t.Fatal(err)
	}
	var got []string
	for _, p := range invalid.Problems {
		got = append(got, fmt.Sprintf("%d:%d %s %s %d", p.Line, p.Column, p.Code, p.Field, p.Rule))
	}
	want := []string{
		"5:20 no-list rules[0].selection.tagPatternList 4",
		"8:22 unit rules[0].selection.countUnit 4",
		"9:24 count rules[0].selection.countNumber 4",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
