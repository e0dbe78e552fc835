package ref

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/internal/lazyregexp"
	"github.com/ecrkit/ecrkit/internal/registryname"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// Kind is the kind of endpoint that a reference names.
type Kind string

// The kinds of endpoint.
const (
	KindECR           Kind = "ecr"            // HOST/REPOSITORY[:TAG][@DIGEST] in a private registry of Amazon ECR
	KindRegistry      Kind = "registry"       // HOST/REPOSITORY[:TAG][@DIGEST] in any other registry
	KindLayout        Kind = "oci"            // oci:DIRECTORY[:TAG][@DIGEST]
	KindArchive       Kind = "oci-archive"    // oci-archive:FILE[:TAG][@DIGEST]
	KindDockerArchive Kind = "docker-archive" // docker-archive:FILE[:NAME:TAG]
	KindDockerDaemon  Kind = "docker-daemon"  // docker-daemon:NAME[:TAG] or docker-daemon:IMAGE-ID
)

// ErrUnknownPlace is the error of [Parse] for a name that begins with no host, and at
// which there is no image.
var ErrUnknownPlace = errors.New("names neither a registry nor a file or directory with an image; write HOST/REPOSITORY:TAG or oci:DIRECTORY[:TAG]")

// StandardStream is the path of an archive that is read from stdin or written to
// stdout.
const StandardStream = "-"

// Reference names an image, as a person wrote it.
type Reference struct {
	Kind       Kind
	Host       string        // of KindRegistry, in its canonical spelling
	Registry   auth.Registry // of KindECR
	Repository string        // of KindECR and KindRegistry; the name of the image in a docker archive or daemon
	Path       string        // of an archive or a layout
	Tag        string        // "" if none was given; of KindLayout and KindArchive also [HOST/]NAME:TAG
	Digest     digest.Digest // "" if none was given; in a docker daemon the image ID
}

// IsRepository reports whether the image is in a registry.
func (r Reference) IsRepository() bool { return r.Kind == KindECR || r.Kind == KindRegistry }

// Place is the reference without its tag and digest: where the image is.
func (r Reference) Place() string {
	switch r.Kind {
	case KindECR:
		return r.Registry.Host + "/" + r.Repository
	case KindRegistry:
		return r.Host + "/" + r.Repository
	case KindDockerDaemon:
		return string(r.Kind) + ":" + r.Repository
	case KindDockerArchive:
		if r.Repository != "" {
			return string(r.Kind) + ":" + r.Path + ":" + r.Repository
		}
	}
	return string(r.Kind) + ":" + r.Path
}

// String is the reference in its full form, which [Parse] reads again.
func (r Reference) String() string {
	s := r.Place()
	if r.Tag != "" {
		s += ":" + r.Tag
	}
	switch {
	case r.Digest == "":
	case r.Kind == KindDockerDaemon:
		s += string(r.Digest)
	default:
		s += "@" + string(r.Digest)
	}
	return s
}

// Name is how the endpoint of the reference knows the image: the digest if there
// is one, else the tag, else ""; NAME:TAG in a docker archive or daemon.
func (r Reference) Name() string {
	switch {
	case r.Digest != "":
		return string(r.Digest)
	case r.Repository != "" && !r.IsRepository():
		return r.Repository + ":" + r.Tag
	}
	return r.Tag
}

// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html
var ecrRepositoryName = lazyregexp.New(`^(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*$`)

// Parse reads a reference in the form of one of the kinds; "-" and
// "-:TAG" are an archive on stdin or stdout. PATH[:TAG] without the name of a kind
// is what detect says that is at the path ("" is nothing; a nil detect never
// finds anything). A registry wins over a directory of the same name if it is
// one of Amazon ECR. What could be both a path and a repository of another
// registry is an error: whoever supplies the current directory must not decide
// which it is.
//
// A repository of another registry is KindRegistry, in its canonical spelling:
// every host of Docker Hub is docker.io, its "alpine" is "library/alpine", and
// ":443" and a final dot are dropped. registries are the hosts of Amazon ECR under other names, such as that of
// a local ECR, from [auth.ParseMapping]; the zero value knows only Amazon's own names of them.
func Parse(s string, registries auth.Registries, detect func(path string) Kind) (Reference, error) {
	if s == "" {
		return Reference{}, errors.New("the reference is empty")
	}
	r, err := parseReference(s, registries, detect)
	if rest, ok := cutUser(s); ok && err != nil {
		return Reference{}, fmt.Errorf("reference %q names a user or password, which a reference does not have; write %s", "…@"+rest, rest)
	}
	if err != nil {
		return Reference{}, fmt.Errorf("reference %q %w", s, mistake(s, registries, err))
	}
	if r.Kind != KindRegistry && r.Kind != KindECR {
		return r, nil
	}
	if host, _, _ := strings.Cut(r.Place(), "/"); beginsPath(host) {
		return Reference{}, fmt.Errorf("reference %q names the host %s, which cannot be told from a path; write it with its domain", s, host)
	}
	if r.Kind == KindRegistry {
		if err := CheckHost(r.Host); err != nil {
			return Reference{}, fmt.Errorf("reference %q: host %w", s, err)
		}
	}
	return r, nil
}

func parseReference(s string, registries auth.Registries, detect func(path string) Kind) (Reference, error) {
	if isStandardStream(s) {
		return parsePath(KindArchive, s, detectStandardStream)
	}
	if kind, rest, ok := strings.Cut(s, ":"); ok {
		switch kind := Kind(kind); kind {
		case KindLayout, KindArchive:
			if kind == KindArchive && isStandardStream(rest) {
				detect = detectStandardStream
			}
			return parsePath(kind, rest, detect)
		case KindDockerArchive:
			return parseDockerArchive(rest)
		case KindDockerDaemon:
			return parseDockerDaemon(rest)
		}
	}
	host, rest, slash := strings.Cut(s, "/")
	registry, err := registries.Parse(host)
	if err == nil && !registry.Public && !strings.ContainsAny(host, "@?#") { // as in a URL, which not all programs read alike
		return parseRepository(Reference{Kind: KindECR, Registry: registry}, rest)
	}
	found, err := parseDetected(s, detect)
	if err != nil {
		return Reference{}, err
	}
	if slash && looksLikeHost(host) {
		r, err := parseOtherRegistry(host, rest)
		switch {
		case found.Kind == "":
			return r, err
		case err == nil:
			return Reference{}, fmt.Errorf("is a path here, and also a repository of the registry %s; write %s for the path, or rename it", r.Host, found)
		}
	}
	if found.Kind != "" {
		return found, nil
	}
	return Reference{}, ErrUnknownPlace
}

// cutUser returns what is behind the user and password of a URL, and whether a reference has them.
func cutUser(s string) (string, bool) {
	_, rest, _ := strings.Cut(s, "://")
	host, _, slash := strings.Cut(cmp.Or(rest, s), "/")
	at := strings.LastIndexByte(host, '@')
	if !slash || at < 0 || beginsPath(host) {
		return "", false
	}
	behind := cmp.Or(rest, s)[at+1:]
	if host, _, _ := strings.Cut(behind, "/"); !looksLikeHost(host) {
		return "", false // a digest, or a path
	}
	return behind, true
}

// beginsPath reports whether s begins as a reference to something on this machine does.
func beginsPath(s string) bool {
	kind, _, _ := strings.Cut(s, ":")
	return slices.Contains([]Kind{KindLayout, KindArchive, KindDockerArchive, KindDockerDaemon, StandardStream}, Kind(kind))
}

// isStandardStream reports whether s is "-" or begins with "-:".
func isStandardStream(s string) bool {
	return s == StandardStream || strings.HasPrefix(s, StandardStream+":")
}

// detectStandardStream finds an archive at "-" only, so that all of what follows is the name of an image.
func detectStandardStream(path string) Kind {
	if path == StandardStream {
		return KindArchive
	}
	return ""
}

// parseDetected reads PATH[:TAG] without the name of a kind; its Kind is "" if nothing
// is at the path.
func parseDetected(s string, detect func(path string) Kind) (Reference, error) {
	if detect == nil {
		return Reference{}, nil
	}
	if kind := detect(s); kind != "" {
		return Reference{Kind: kind, Path: s}, nil
	}
	r, err := parsePath(KindLayout, s, detect)
	if err != nil {
		return Reference{}, nil // it may still be a repository
	}
	switch r.Kind = detect(r.Path); r.Kind {
	case "":
		return Reference{}, nil
	case KindDockerArchive:
		return parseDockerArchive(s)
	}
	return r, nil
}

// parseOtherRegistry reads a repository of a registry that is not of Amazon ECR.
func parseOtherRegistry(host, rest string) (Reference, error) {
	canonical, err := registryname.Host(host)
	if err != nil {
		return Reference{}, fmt.Errorf("begins with %q, which is no host name: %w", host, err)
	}
	r, err := parseRepository(Reference{Kind: KindRegistry, Host: canonical}, rest)
	r.Repository = registryname.Repository(r.Host, r.Repository)
	return r, err
}

// looksLikeHost tells "ghcr.io" and "localhost:5000" from the first element of a path.
// A dot at the end of a name alone, which a host's canonical spelling does not have, is no sign of one.
func looksLikeHost(s string) bool {
	s = strings.TrimSuffix(s, ".")
	return strings.Trim(s, ".") != "" && !strings.HasSuffix(s, ":") && (strings.ContainsAny(s, ".:") || strings.EqualFold(s, "localhost"))
}

// parseRepository adds NAME[:TAG][@DIGEST] to r.
func parseRepository(r Reference, rest string) (Reference, error) {
	var err error
	if rest, r.Digest, err = cutDigest(rest); err != nil {
		return Reference{}, err
	}
	name, tag, tagged := strings.Cut(rest, ":")
	if tagged && !content.IsTag(tag) {
		return Reference{}, notATag(tag)
	}
	switch {
	case r.Kind == KindECR && (len(name) < 2 || len(name) > 256 || !ecrRepositoryName.MatchString(name)):
		return Reference{}, fmt.Errorf("has %q, which is not a repository name (2 to 256 lower-case letters and digits, with single . _ - and / between them)%s", name, lowerCase(name, ecrRepositoryName.MatchString))
	case r.Kind != KindECR && (len(name) > 255 || !content.IsRepositoryName(name)):
		return Reference{}, fmt.Errorf("has %q, which is not a repository name (lower-case letters and digits, with . _ - and / between them)%s", name, lowerCase(name, content.IsRepositoryName))
	}
	r.Repository, r.Tag = name, tag
	return r, nil
}

// lowerCase returns the advice to write a name in lower case, if it is valid then.
func lowerCase(name string, valid func(string) bool) string {
	lower := strings.ToLower(name)
	if lower == name || !valid(lower) {
		return ""
	}
	return "; write " + lower
}

func notATag(s string) error {
	advice := ""
	switch other := strings.ReplaceAll(s, "+", "_"); {
	case strings.ContainsAny(s, "*?"):
		advice = "; a reference names one image, not those of a pattern"
	case other != s && content.IsTag(other): // a version of https://semver.org with a build
		advice = "; write " + other + " for the version " + s + ", as Helm does"
	}
	return fmt.Errorf("has %q, which is not a tag (letters, digits, and _ . - after the first, at most 128)%s", s, advice)
}

// parsePath splits PATH[:NAME][@DIGEST]. NAME is a tag: what follows the last colon and
// cannot be one is part of the path. If detect finds something at a shorter path, or a new file or directory is
// followed by the whole name of an image, NAME is all behind it, such as docker.io/library/alpine:3.
func parsePath(kind Kind, rest string, detect func(path string) Kind) (Reference, error) {
	r := Reference{Kind: kind}
	var err error
	if rest, r.Digest, err = cutDigest(rest); err != nil {
		return Reference{}, err
	}
	r.Path = rest
	if i := strings.LastIndexByte(rest, ':'); i >= 0 && content.IsTag(rest[i+1:]) {
		r.Path, r.Tag = rest[:i], rest[i+1:]
	}
	if path, ok := strings.CutSuffix(r.Path, ":"+string(digest.SHA256)); ok && path != "" && hexadecimal.MatchString(r.Tag) {
		return Reference{}, digestAsTag(string(kind)+":"+path, r.Tag)
	}
	if detect != nil && strings.ContainsRune(r.Path, ':') && detect(r.Path) == "" {
		path, name, ok := cutName(rest, detect)
		if !ok {
			if path, name, ok, err = cutNewName(kind, rest); err != nil {
				return Reference{}, err
			}
		}
		if ok {
			r.Path, r.Tag = path, name
		}
	}
	return r, checkPath(r.Path)
}

// cutName splits PATH:NAME where detect finds something at PATH and NAME is that of an
// image in full.
func cutName(s string, detect func(path string) Kind) (path, name string, ok bool) {
	for i := range len(s) {
		if s[i] != ':' || i == 0 || detect(s[:i]) == "" {
			continue
		}
		if _, _, err := parseDockerName(s[i+1:]); err == nil && strings.ContainsRune(s[i+1:], ':') {
			return s[:i], s[i+1:], true
		}
	}
	return "", "", false
}

// cutNewName splits PATH:NAME where no image is at PATH yet, if PATH is a directory, PATH ends as archives do or NAME
// begins with a host. Any other NAME:TAG is an error, since the same reference would mean another place before the first
// image is in it. Directories that exist are part of the path.
func cutNewName(kind Kind, s string) (path, name string, ok bool, err error) {
	from := 0
	if startsWithDrive(s) {
		from = 2
	}
	path, name, _ = strings.Cut(s[from:], ":")
	path = s[:from] + path
	if _, _, err := parseDockerName(name); path == "" || err != nil || !strings.ContainsRune(name, ':') {
		return "", "", false, nil
	}
	long := s[:strings.LastIndexByte(s, ':')]
	if kind == KindArchive && (isArchiveName(path) || isArchiveName(long)) {
		return path, name, !isArchiveName(long), nil
	}
	first, _, hasHost := strings.Cut(name, "/")
	if !hasHost {
		first = long[len(path)+1:]
	}
	switch {
	case isDirectory(path + ":" + first):
		return "", "", false, nil
	case hasHost && looksLikeHost(first), kind == KindLayout && isDirectory(path):
		return path, name, true, nil
	}
	what, advice := "directory", "for the first, create "+path+" or write the image with its host"
	if kind == KindArchive {
		what, advice = "file", "for the first, use a name that ends in .tar"
	}
	return "", "", false, fmt.Errorf("could be the image %s in the %s %s, or the image %s in the %s %s, and neither exists; %s; for the second, use a name without a colon",
		name, what, path, s[len(long)+1:], what, long, advice)
}

func isDirectory(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// isArchiveName reports whether a path ends as the names of archives do.
func isArchiveName(path string) bool {
	return slices.Contains([]string{".tar", ".tgz", ".gz", ".zst"}, strings.ToLower(filepath.Ext(path)))
}

func checkPath(path string) error {
	switch {
	case path == "":
		return errors.New("names no file or directory")
	case strings.HasSuffix(path, ":"):
		return errors.New("ends its path with a colon")
	case strings.ContainsRune(path, 0):
		return errors.New("has a NUL byte in its path")
	}
	if err := files.CheckName(path); err != nil {
		return fmt.Errorf("cannot be used: %w", err)
	}
	// On every system, so that what is written here can be carried to Windows.
	if name := path[strings.LastIndexAny(path, `/\`)+1:]; files.IsDevice(name) {
		return fmt.Errorf("cannot be used: Windows takes the name %s for a device; choose another name", name)
	}
	return nil
}

// startsWithDrive reports whether a path begins with the drive of a Windows system,
// as C:\ or C:/. Nothing else of these forms has a name after it.
func startsWithDrive(path string) bool {
	return len(path) > 2 && path[1] == ':' && (path[2] == '\\' || path[2] == '/') && 'a' <= path[0]|0x20 && path[0]|0x20 <= 'z'
}

// parseDockerArchive splits FILE[:NAME[:TAG]] at the first colon that is not that
// of a Windows drive.
func parseDockerArchive(rest string) (Reference, error) {
	r := Reference{Kind: KindDockerArchive, Path: rest}
	skip := 0
	if startsWithDrive(rest) {
		skip = 2
	}
	i := strings.IndexByte(rest[skip:], ':')
	if i >= 0 && strings.HasSuffix(rest[:skip+i], "@"+string(digest.SHA256)) {
		return Reference{}, errDockerDigest
	}
	if i < 0 {
		return r, checkPath(r.Path)
	}
	var err error
	r.Path = rest[:skip+i]
	if r.Repository, r.Tag, err = parseDockerName(rest[skip+i+1:]); err != nil {
		return Reference{}, err
	}
	return r, checkPath(r.Path)
}

func parseDockerDaemon(rest string) (Reference, error) {
	r := Reference{Kind: KindDockerDaemon}
	if strings.HasPrefix(rest, "sha256:") {
		id, err := digest.Parse(rest)
		if err != nil {
			return Reference{}, fmt.Errorf("has the image ID %q: %w", rest, err)
		}
		r.Digest = id
		return r, nil
	}
	var err error
	r.Repository, r.Tag, err = parseDockerName(rest)
	return r, err
}

// errDockerDigest is that an image of docker is named by a digest.
var errDockerDigest = errors.New("has a digest, by which no image in a docker archive or engine is found; write its NAME:TAG, or in the engine its ID, docker-daemon:sha256:…")

// parseDockerName splits [HOST[:PORT]/]NAME[:TAG]; without a tag it is "latest".
func parseDockerName(s string) (name, tag string, err error) {
	name, tag = s, "latest"
	if i := strings.LastIndexByte(s, ':'); i > strings.LastIndexByte(s, '/') {
		name, tag = s[:i], s[i+1:]
	}
	if !content.IsTag(tag) {
		return "", "", notATag(tag)
	}
	path := name
	if host, rest, ok := strings.Cut(name, "/"); ok && looksLikeHost(host) {
		if _, err := registryname.Host(host); err == nil {
			path = rest
		}
	}
	if path == string(digest.SHA256) || strings.HasSuffix(path, "@"+string(digest.SHA256)) {
		return "", "", errDockerDigest
	}
	if !content.IsRepositoryName(path) {
		return "", "", fmt.Errorf("has %q, which is not the name of an image", name)
	}
	return name, tag, nil
}

func cutDigest(s string) (string, digest.Digest, error) {
	i := strings.LastIndex(s, "@sha256:")
	if i < 0 {
		return s, "", nil
	}
	d, err := digest.Parse(s[i+1:])
	if err != nil {
		return "", "", fmt.Errorf("has the digest %q: %w", s[i+1:], err)
	}
	return s[:i], d, nil
}
