package ref

import (
	"errors"
	"fmt"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/internal/ecrhost"
	"github.com/ecrkit/ecrkit/internal/lazyregexp"
	"github.com/ecrkit/ecrkit/transfer/content"
)

var (
	// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerregistry.html
	repositoryARN = lazyregexp.New(`^arn:aws[a-z-]*:ecr:([a-z0-9-]+):([0-9]{12}):repository/(.+)$`)
	accountHost   = lazyregexp.New(`^([0-9]+)\.(dkr[.-])?ecr(?:-fips)?\.(.*)$`)
	regionSuffix  = lazyregexp.New(`^[a-z]+(?:-[a-z]+)+-[0-9]+\.`)
	amazonName    = lazyregexp.New(`\.amazonaws\.[a-z]{1,4}(?:\.[a-z]{2})?$`) // with usual slips at its end
	otherDigest   = lazyregexp.New(`@(sha384|sha512|blake3|sha1|md5):[0-9A-Fa-f]+$`)
	bareDigest    = lazyregexp.New(`@[0-9a-f]{12,64}$`)
	anyDigest     = lazyregexp.New(`^(.*)([@:])((?i:sha256):[0-9A-Fa-f]{64})$`)
	registryARN   = lazyregexp.New(`^arn:aws[a-z-]*:ecr:([a-z0-9-]+):([0-9]{12}):`)
	region        = lazyregexp.New(`^[a-z]{2,4}(?:-[a-z]+){1,2}-[0-9]$`)
	hexadecimal   = lazyregexp.New(`^[0-9A-Fa-f]{12,64}$`)
	account       = lazyregexp.New(`^[0-9]{12}$`)
)

// mistake returns what is wrong with a reference that can't be parsed, if it is one of
// the usual mistakes, and otherwise err.
func mistake(s string, registries auth.Registries, err error) error {
	if m := anyDigest.FindStringSubmatch(s); m != nil && m[2] == "@" && m[3] != strings.ToLower(m[3]) {
		return fmt.Errorf("has a digest in upper case; write %s@%s", m[1], strings.ToLower(m[3]))
	}
	kind, _, _ := strings.Cut(s, ":")
	switch Kind(kind) {
	case KindLayout, KindArchive, KindDockerArchive, KindDockerDaemon, StandardStream:
		return err
	}
	if m := repositoryARN.FindStringSubmatch(s); m != nil {
		return fmt.Errorf("is an ARN; the repository is %s/%s", ecrhost.Registry{Account: m[2], Region: m[1]}.CanonicalHost(), m[3])
	}
	if reference := fromPage(s); reference != "" {
		return fmt.Errorf("is the address of a web page; write %s", reference)
	}
	if scheme, rest, ok := strings.Cut(s, "://"); ok && rest != "" && !strings.ContainsAny(scheme, "/.:@") {
		if scheme == "ocidir" {
			rest = string(KindLayout) + ":" + rest
		}
		return fmt.Errorf("begins with %s://, which a reference does not; write %s", scheme, rest)
	}
	for _, c := range []struct{ characters, what string }{
		{"'\"`“”„‟‘’‚«»", "a quotation mark in it; check the quotes around it: the shell knows only \" and '"},
		{"$", "a $ in it: a variable that the shell did not replace? Use double quotes"},
		{" \t\r\n", "white space in it; remove it"},
	} {
		if strings.ContainsAny(s, c.characters) {
			return errors.New("has " + c.what)
		}
	}
	host, rest, _ := strings.Cut(s, "/")
	if _, notECR := registries.Parse(host); notECR == nil && rest == "" {
		return errors.New("names a registry and no repository; write HOST/REPOSITORY:TAG")
	}
	switch {
	case strings.HasSuffix(s, ":"):
		return errors.New("ends with a colon, and the tag is missing; if it is from a variable, that is empty")
	case strings.HasSuffix(s, "@"):
		return errors.New("ends with @, and the digest is missing; if it is from a variable, that is empty")
	case bareDigest.FindStringSubmatch(s) != nil:
		return errors.New("has a digest without its algorithm; write @sha256: before the 64 hexadecimal digits")
	}
	if m := otherDigest.FindStringSubmatch(s); m != nil {
		return fmt.Errorf("has a digest of %s; registries name images by that of sha256", m[1])
	}
	if strings.Contains("/"+rest, "//") {
		return errors.New("has two slashes one after the other; if a variable is written between them, that is empty")
	}
	if m := anyDigest.FindStringSubmatch(s); m != nil && m[2] == ":" && m[1] != "" {
		_, hex, _ := strings.Cut(m[3], ":")
		return digestAsTag(m[1], hex)
	}
	if i := strings.LastIndex(s, "@sha256:"); i >= 0 && len(s)-i-len("@sha256:") != 64 {
		return fmt.Errorf("has a digest of %d hexadecimal digits; all 64 are needed", len(s)-i-len("@sha256:"))
	}
	if name, tag, ok := strings.Cut(rest, "@"); ok && content.IsTag(tag) && content.IsRepositoryName(name) {
		return fmt.Errorf("has %q behind @, which is not a digest; a tag follows a colon: %s/%s:%s", tag, host, name, tag)
	}
	if strings.Contains(s, ".tar") || strings.HasSuffix(s, ".tgz") {
		return fmt.Errorf("%v; to write an archive, oci-archive:FILE or docker-archive:FILE", err)
	}
	return err
}

// digestAsTag returns the error of PLACE:sha256:HEX.
func digestAsTag(place, hex string) error {
	if len(hex) != digest.SHA256.Size()*2 {
		return fmt.Errorf("has a digest in the place of a tag, with %d of its 64 hexadecimal digits; write %s@sha256: and all of them", len(hex), place)
	}
	return fmt.Errorf("has a digest in the place of a tag; write %s@sha256:%s", place, strings.ToLower(hex))
}

// CheckUser returns why a host of a registry may not begin with a user or a password, and nil if it does not.
func CheckUser(host string) error {
	if beginsPath(host) {
		return nil
	}
	_, rest, scheme := strings.Cut(host, "://")
	if !scheme {
		rest = host
	}
	authority, path, slash := strings.Cut(rest, "/")
	at := strings.LastIndexByte(authority, '@')
	if at < 0 || strings.HasPrefix(authority[at+1:], string(digest.SHA256)+":") || !looksLikeHost(authority[at+1:]) {
		return nil
	}
	right := authority[at+1:]
	if slash && path != "" {
		right += "/" + path
	}
	return fmt.Errorf("%q names a user or password, which the host of a registry does not have; write %s", "…@"+right, right)
}

// CheckHost returns why a host that resembles those of Amazon ECR is not one, or that it is an ARN, a region or an
// account, and nil for any other host.
func CheckHost(host string) error {
	name, _, _ := strings.Cut(strings.ToLower(host), ":")
	const right = "ACCOUNT.dkr.ecr.REGION.amazonaws.com"
	switch m := registryARN.FindStringSubmatch(host + ":"); {
	case m != nil:
		return fmt.Errorf("%q is an ARN; the registry is %s", host, ecrhost.Registry{Account: m[2], Region: m[1]}.CanonicalHost())
	case region.MatchString(host):
		return fmt.Errorf("%q is a region; the registry is %s", host, ecrhost.Registry{Account: "ACCOUNT", Region: host}.CanonicalHost())
	case account.MatchString(host):
		return fmt.Errorf("%q is an account; the registry is %s", host, ecrhost.Registry{Account: host, Region: "REGION"}.CanonicalHost())
	}
	if _, err := auth.ParseRegistry(host, nil); err == nil || amazonName.FindStringSubmatch(name) == nil {
		return nil
	}
	if strings.HasPrefix(name, "api.ecr.") {
		return fmt.Errorf("%q is the API of Amazon ECR; the registry is %s", host, right)
	}
	m := accountHost.FindStringSubmatch(name)
	var why string
	switch {
	case m == nil:
		return nil
	case m[2] == "":
		why = "dkr. is missing before ecr."
	case len(m[1]) != 12:
		why = fmt.Sprintf("the account has %d digits, not 12", len(m[1]))
	case regionSuffix.FindStringSubmatch(m[3]) == nil:
		why = "the region is missing"
		if label, _, _ := strings.Cut(m[3], "."); label != "amazonaws" {
			why = fmt.Sprintf("%q is not a region; one is us-east-1", label)
		}
	default:
		why = "its end is not that of the region's hosts"
	}
	return fmt.Errorf("%q resembles a host of Amazon ECR, %s, but %s", host, right, why)
}
