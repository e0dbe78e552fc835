package policy

import (
	"fmt"
	"strings"
)

// matchPrincipals reports whether a list, by the kind of principal, names a caller, or the account of the caller. Services
// and federated users do not call the local ECR.
func matchPrincipals(kinds map[string][]string, caller string) (named, account bool) {
	own := accountOf(caller)
	for _, name := range kinds["AWS"] {
		switch {
		case name == "*", name == caller, name == RoleOf(caller):
			named = true
		case name == own, strings.HasPrefix(name, "arn:") && strings.HasSuffix(name, ":root") && accountOf(name) == own:
			account = own != ""
		}
	}
	return named, account
}

// accountOf returns the account in an ARN, "" if it has none.
func accountOf(arn string) string {
	if parts := strings.SplitN(arn, ":", 6); len(parts) == 6 {
		return parts[4]
	}
	return ""
}

// RoleOf returns the ARN of the role of a session, "" for other callers.
func RoleOf(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 || parts[2] != "sts" {
		return ""
	}
	name, ok := strings.CutPrefix(parts[5], "assumed-role/")
	if !ok {
		return ""
	}
	name, _, _ = strings.Cut(name, "/")
	return fmt.Sprintf("arn:%s:iam::%s:role/%s", parts[1], parts[4], name)
}
