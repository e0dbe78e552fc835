package ref

import (
	"net/url"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/ecrhost"
)

// fromPage returns the reference to what a web page shows, whose address somebody copied from a browser, and "" for any
// other text. The pages are those of the AWS console, the public gallery, Docker Hub, GitHub and Quay.
func fromPage(s string) string {
	page, err := url.Parse(s)
	if err != nil || page.Scheme != "https" && page.Scheme != "http" {
		return ""
	}
	parts := strings.Split(strings.Trim(page.EscapedPath(), "/"), "/")
	for i, part := range parts {
		if parts[i], err = url.PathUnescape(part); err != nil {
			return ""
		}
	}
	switch host := strings.ToLower(page.Host); {
	case host == "console.aws.amazon.com" || strings.HasSuffix(host, ".console.aws.amazon.com"):
		return fromConsole(strings.TrimSuffix(host, ".console.aws.amazon.com"), parts, page)
	case host == "gallery.ecr.aws" && len(parts) >= 2:
		return "public.ecr.aws/" + strings.Join(parts, "/")
	case host == "hub.docker.com" && len(parts) >= 2 && parts[0] == "_":
		return "docker.io/library/" + parts[1]
	case host == "hub.docker.com" && len(parts) >= 3 && parts[0] == "r":
		return "docker.io/" + parts[1] + "/" + parts[2]
	case host == "github.com":
		// /OWNER/REPOSITORY/pkgs/container/NAME and /orgs/OWNER/packages/container/package/NAME
		switch {
		case len(parts) >= 5 && parts[2] == "pkgs" && parts[3] == "container":
			return "ghcr.io/" + strings.ToLower(parts[0]) + "/" + parts[4]
		case len(parts) >= 6 && parts[2] == "packages" && parts[3] == "container" && parts[4] == "package":
			return "ghcr.io/" + strings.ToLower(parts[1]) + "/" + parts[5]
		}
	case host == "quay.io" && len(parts) >= 3 && parts[0] == "repository":
		return "quay.io/" + parts[1] + "/" + parts[2]
	}
	return ""
}

// fromConsole returns the reference to a repository or an image of the AWS console:
// /ecr/repositories/private/ACCOUNT/NAME[/_/image/DIGEST/details]?region=REGION.
func fromConsole(where string, parts []string, page *url.URL) string {
	if len(parts) < 5 || parts[0] != "ecr" || parts[1] != "repositories" || parts[2] != "private" || !account.MatchString(parts[3]) {
		return ""
	}
	in := page.Query().Get("region")
	if in == "" {
		in = where
	}
	if !region.MatchString(in) {
		return ""
	}
	name, image, _ := strings.Cut(strings.Join(parts[4:], "/"), "/_/image/")
	name, _, _ = strings.Cut(name, "/_/")
	reference := ecrhost.Registry{Account: parts[3], Region: in}.CanonicalHost() + "/" + name
	if d, _, _ := strings.Cut(image, "/"); digest.Digest(d).Validate() == nil {
		reference += "@" + d
	}
	return reference
}
