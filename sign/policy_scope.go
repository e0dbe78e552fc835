package sign

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/ecrkit/ecrkit/internal/ecrhost"
	"github.com/ecrkit/ecrkit/internal/lazyregexp"
	"github.com/ecrkit/ecrkit/internal/registryname"
)

// scope is a pattern of names of repositories, HOST/REPOSITORY, or of directories,
// oci:DIR: "*" is any number of characters but "/", "**" any number of all.
type scope struct {
	pattern string
	regexp  *regexp.Regexp
	rank    []int // of two scopes that match, the one with the greater says more
}

// repositoryScope has what names of repositories may have, and wildcards.
var repositoryScope = lazyregexp.New(`^[a-z0-9.:*\[\]-]+/[a-z0-9._/*-]+$`)

func parseScope(s string) (scope, error) {
	repository := s
	kind, path, local := cutKind(s)
	switch {
	case s == "":
		return scope{}, errors.New("it is empty")
	case strings.Contains(s, "***"):
		return scope{}, fmt.Errorf("%q has three asterisks", s)
	case local && kind != dockerDaemon && !filepath.IsAbs(path) && !strings.HasPrefix(path, "**"):
		return scope{}, fmt.Errorf("%q is relative; write %s:/DIRECTORY or %s:**", s, kind, kind)
	case local:
		repository = path
	case strings.Contains(s, "@"):
		return scope{}, fmt.Errorf("%q names an image; a scope names repositories, without a tag or digest", s)
	case !strings.Contains(s, "/"):
		return scope{}, fmt.Errorf("%q is no HOST/REPOSITORY; all repositories of a host are HOST/**", s)
	case !repositoryScope.MatchString(s):
		return scope{}, fmt.Errorf("%q is no pattern of HOST/REPOSITORY: host and repository are in lower case, wildcards are * and **, and there is no tag", s)
	default:
		host, _, _ := strings.Cut(s, "/")
		if _, err := registryname.Host(host); err != nil && !strings.Contains(host, "*") {
			return scope{}, fmt.Errorf("%q begins with %q: %w", s, host, err)
		}
		host, repository = canonicalName(s)
		s = host + "/" + repository
	}
	var pattern strings.Builder
	for i, part := range strings.Split(s, "**") {
		if i > 0 {
			pattern.WriteString(".*")
		}
		for k, literal := range strings.Split(part, "*") {
			if k > 0 {
				pattern.WriteString("[^/]*")
			}
			pattern.WriteString(regexp.QuoteMeta(literal))
		}
	}
	compiled, err := regexp.Compile("(?s)^" + pattern.String() + "$")
	if err != nil {
		return scope{}, fmt.Errorf("%q: %w", s, err)
	}
	deep := strings.Count(s, "**")
	return scope{pattern: s, regexp: compiled, rank: []int{literals(repository), literals(s), -deep, 2*deep - strings.Count(s, "*")}}, nil
}

// literals counts the characters that are no wildcards.
func literals(pattern string) int { return len(pattern) - strings.Count(pattern, "*") }

// matches reports whether a name of namesOf is in the scope. A pattern of repositories is
// about no directory.
func (s scope) matches(name string) bool {
	scopeKind, _, _ := cutKind(s.pattern)
	nameKind, _, _ := cutKind(name)
	return scopeKind == nameKind && s.regexp.MatchString(name)
}

// compare is above 0 if s says more than other.
func (s scope) compare(other scope) int {
	for i, n := range s.rank {
		if c := cmp.Compare(n, other.rank[i]); c != 0 {
			return c
		}
	}
	return 0
}

// dockerDaemon begins the name of an image in a docker daemon, which has no path.
const dockerDaemon = "docker-daemon"

// cutKind splits oci:DIR and its relatives; kind is "" for a repository.
func cutKind(s string) (kind string, path string, local bool) {
	for _, kind := range []string{"oci", "oci-archive", "docker-archive", dockerDaemon} {
		if path, ok := strings.CutPrefix(s, kind+":"); ok {
			return kind, path, true
		}
	}
	return "", "", false
}

// canonicalName returns a name of a repository, HOST/REPOSITORY, in its canonical
// spelling; a host or repository with wildcards is left as it is.
func canonicalName(name string) (host, repository string) {
	host, repository, _ = strings.Cut(name, "/")
	if strings.Contains(host, "*") {
		return host, repository
	}
	if canonical, err := registryname.Host(host); err == nil {
		host = canonical
	}
	if !strings.Contains(repository, "*") {
		repository = registryname.Repository(host, repository)
	}
	return host, repository
}

// spellings returns the names that scopes with wildcards may have for a repository.
func spellings(name string) []string {
	host, repository := canonicalName(name)
	return append(registryname.Spellings(host, repository), strings.ToLower(name))
}

// namesOf returns the names by which scopes may know one repository: with an absolute
// path, and with the host that Amazon ECR documents first for a registry.
func namesOf(given []string) (names []string) {
	for _, name := range given {
		if kind, path, local := cutKind(name); local {
			if kind != dockerDaemon {
				// Without a current directory it stays relative, and only "**" matches.
				if absolute, err := filepath.Abs(path); err == nil {
					path = filepath.ToSlash(absolute)
				}
			}
			names = append(names, kind+":"+path)
			continue
		}
		host, repository, _ := strings.Cut(name, "/")
		names = append(names, spellings(name)...)
		if registry, err := ecrhost.Find(host); err == nil {
			names = append(names, registry.CanonicalHost()+"/"+repository)
		}
	}
	return names
}
