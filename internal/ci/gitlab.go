package ci

import (
	"fmt"
	"strings"
)

// Variable is one of a dotenv report.
type Variable struct{ Name, Value string }

// Dotenv returns a dotenv report of GitLab, which has no quotes and no values of several
// lines: those are joined by spaces. See
// https://docs.gitlab.com/ci/yaml/artifacts_reports/#artifactsreportsdotenv.
func Dotenv(variables []Variable) []byte {
	var out strings.Builder
	for _, v := range variables {
		fmt.Fprintf(&out, "%s=%s\n", v.Name, strings.Join(strings.Fields(v.Value), " "))
	}
	return []byte(out.String())
}
